import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { groupRoles, isProviderUrl } from './identity-provider.ts';

const privateNetworks = [
  '127.0.0.0/8',
  '::1/128',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  'fc00::/7',
  'fe80::/10',
];

/** Where MCP servers of an installation usually are: its own host, private networks, an overlay network. */
const upstreamNetworks = [
  '127.0.0.0/8',
  '::1/128',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  'fc00::/7',
];

const flag = z.enum(['0', '1', 'true', 'false']).transform((value) => value === '1' || value === 'true');

const origin = z.string().refine((value) => {
  const url = URL.parse(value);
  return (
    url !== null &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    url.origin === value &&
    url.username === '' &&
    !value.endsWith('/')
  );
}, 'must be an origin such as https://auth.example.com: scheme, host and port, nothing after');

const networks = z
  .string()
  .transform((value) => value.split(/[\s,]+/).filter((part) => part !== ''))
  .refine((list) => list.every(isNetwork), 'must be a list of networks such as 10.0.0.0/8, 2001:db8::/32');

const addresses = z
  .string()
  .transform((value) => value.split(/[\s,]+/).filter((part) => part !== ''))
  .refine(
    (list) => list.length > 0 && list.every((part) => isIP(part) !== 0),
    'must be a list of IP addresses',
  );

export function isPostgresUrl(value: string): boolean {
  return /^postgres(ql)?:\/\//.test(value) && URL.canParse(value);
}

const postgresUrl = z.string().refine(isPostgresUrl, 'must be a postgresql:// URL');

const budget = (standard: number) => z.coerce.number().int().min(1).max(10_000_000).default(standard);

const megabytes = (standard: number) => z.coerce.number().int().min(0).max(1_000_000_000).default(standard);

const httpUrl = z.string().refine((value) => {
  const url = URL.parse(value);
  return url?.protocol === 'http:' || url?.protocol === 'https:';
}, 'must be an http:// or https:// URL');

const keyBytes = 32;
export const shortestSecretLength = 32;

/** One entry a variable; `.describe` is what `countersign config` and the documentation print. */
export const configSchema = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(3000).describe('Port of gate and console.'),
  COUNTERSIGN_LISTEN: addresses
    .optional()
    .describe('Addresses to listen on once an admin exists. Loopback unless the issuer is https.'),
  COUNTERSIGN_ISSUER: origin.optional().describe('OAuth issuer. Default http://localhost:PORT.'),
  COUNTERSIGN_CONSOLE_ORIGIN: origin
    .optional()
    .describe('Origin of the console, another host. Default http://countersign.localhost:PORT.'),
  COUNTERSIGN_ENVIRONMENT: z
    .enum(['production', 'staging', 'sandbox'])
    .default('production')
    .describe('Shown on every page.'),
  COUNTERSIGN_DATA: z.string().min(1).default('.countersign').describe('Folder of all state.'),
  DATABASE_URL: postgresUrl.optional().describe('External PostgreSQL 15 or newer, as its owner.'),
  COUNTERSIGN_GATE_DATABASE_URL: postgresUrl.optional().describe('The same database as countersign_gate.'),
  COUNTERSIGN_CONSOLE_DATABASE_URL: postgresUrl
    .optional()
    .describe('The same database as countersign_console.'),
  COUNTERSIGN_SEQUENCER_DATABASE_URL: postgresUrl
    .optional()
    .describe('The same database as countersign_sequencer.'),
  COUNTERSIGN_KEY_ENCRYPTION_KEY: z
    .string()
    .refine((value) => Buffer.from(value, 'base64url').length === keyBytes, 'must be 32 bytes in base64')
    .refine((value) => new Set(Buffer.from(value, 'base64url')).size > 8, 'must be random')
    .optional()
    .describe('Seals keys and secrets at rest: 32 random bytes, base64. Generated when absent.'),
  NEXTAUTH_SECRET: z
    .string()
    .min(shortestSecretLength, `must have at least ${shortestSecretLength} characters`)
    .refine((value) => new Set(value).size > 8, 'must be random')
    .optional()
    .describe('Protects the sign-in exchange. Generated when absent.'),
  COUNTERSIGN_REGISTRATION_NETWORKS: networks
    .default(privateNetworks)
    .describe('Networks registration is taken from until sources are approved.'),
  COUNTERSIGN_REGISTRATIONS_PER_SOURCE: budget(30).describe('Registrations a minute from one network.'),
  COUNTERSIGN_REGISTRATIONS_PER_MINUTE: budget(240).describe('Registrations a minute in all.'),
  COUNTERSIGN_UNCLAIMED_PER_SOURCE: budget(200).describe('Unclaimed clients kept from one network.'),
  COUNTERSIGN_UNCLAIMED_CLIENTS: budget(2_000).describe('Unclaimed clients kept in all.'),
  COUNTERSIGN_DEVICE_GRANT: flag
    .default(false)
    .describe('Sign-in by code for clients without a browser (RFC 8628).'),
  COUNTERSIGN_DISK_LOW_MB: megabytes(2_048).describe(
    'Free megabytes on the disk of the data folder and the embedded database below which admins are told; 0 for never.',
  ),
  COUNTERSIGN_DISK_STOP_MB: megabytes(512).describe(
    'Free megabytes there below which unknown clients cannot register; 0 for never.',
  ),
  COUNTERSIGN_UPSTREAM_NETWORKS: networks
    .default(upstreamNetworks)
    .describe('Private networks in which MCP servers are read and asked. Public addresses always are.'),
  COUNTERSIGN_TRUSTED_PROXIES: networks
    .default([])
    .describe('Networks of reverse proxies whose X-Forwarded-For is believed.'),
  COUNTERSIGN_ALLOW_LOOPBACK_METADATA: flag
    .default(false)
    .describe('Development only: fetch client metadata documents from loopback.'),
  COUNTERSIGN_EXAMPLES: flag
    .optional()
    .describe(
      'Three example MCP servers behind a guard. On unless PostgreSQL is external or the issuer https.',
    ),
  COUNTERSIGN_EXAMPLE_PORT: z.coerce
    .number()
    .int()
    .min(1)
    .max(65_533)
    .optional()
    .describe('First of the three loopback ports of the examples. Default PORT + 1.'),
  COUNTERSIGN_SMTP_URL: z
    .string()
    .refine(
      (value) => /^smtps?:\/\//.test(value) && URL.canParse(value),
      'must be an smtp:// or smtps:// URL',
    )
    .optional()
    .describe('Where notification mails are sent. None are sent without it.'),
  COUNTERSIGN_MAIL_FROM: z
    .string()
    .min(3)
    .default('Countersign <countersign@localhost>')
    .describe('Sender of notification mails.'),
  COUNTERSIGN_OIDC_ISSUER: z
    .string()
    .refine(
      (value) => isProviderUrl(value, isLoopbackHost) && !/[?#]/.test(value),
      'must be the https URL the provider calls its issuer',
    )
    .optional()
    .describe('OpenID Provider people may sign in with, exactly as it writes its issuer.'),
  COUNTERSIGN_OIDC_CLIENT_ID: z.string().min(1).optional().describe('Our client_id at the provider.'),
  COUNTERSIGN_OIDC_CLIENT_SECRET: z
    .string()
    .min(1)
    .optional()
    .describe('Our secret there. Without it we are a public client with PKCE.'),
  COUNTERSIGN_OIDC_NAME: z
    .string()
    .trim()
    .min(1)
    .max(40)
    .optional()
    .describe('What people know the provider as. Default the host of its issuer.'),
  COUNTERSIGN_OIDC_SCOPE: z
    .string()
    .refine((value) => value.split(' ').includes('openid'), 'must contain openid')
    .default('openid profile email')
    .describe('Scopes asked of the provider.'),
  COUNTERSIGN_OIDC_GROUPS_CLAIM: z
    .string()
    .min(1)
    .default('groups')
    .describe("Claim of the ID token that lists a person's groups."),
  COUNTERSIGN_OIDC_ROLES: groupRoles
    .default([])
    .describe('Roles by group, as JSON: `{"security":["approver"]}`.'),
  COUNTERSIGN_OIDC_ENROL: z
    .enum(['anyone', 'groups'])
    .optional()
    .describe(
      'Who gets an account by signing in: anyone the provider knows, or members of the groups of COUNTERSIGN_OIDC_ROLES (default where there are any).',
    ),
  COUNTERSIGN_OIDC_ASSUME_VERIFIED_EMAIL: flag
    .default(false)
    .describe('For providers whose ID tokens lack email_verified and whose addresses people cannot choose.'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least severe log line that is written.'),
  COUNTERSIGN_CONSOLE_URL: httpUrl.optional().describe('--role gate: where the console listens.'),
  COUNTERSIGN_GATE_URL: httpUrl
    .optional()
    .describe(
      "--role gate, --role console: the gate's private door, an address of a network nobody else reaches.",
    ),
  COUNTERSIGN_START_SECRET: z
    .string()
    .min(shortestSecretLength, `must have at least ${shortestSecretLength} characters`)
    .optional()
    .describe('Shared by a gate and consoles that run apart.'),
});

export type Values = z.infer<typeof configSchema>;
export type SettingName = keyof typeof configSchema.shape;

function isNetwork(value: string): boolean {
  return ipaddr.isValidCIDR(value);
}

/** localhost, anything below it, and the loopback addresses. */
export function isLoopbackHost(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare.endsWith('.localhost') || isLoopbackAddress(bare);
}

export function isLoopbackAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
}
