import { isIP } from 'node:net';
import path from 'node:path';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { groupRoles, type IdentityProvider, isProviderUrl } from './identity-provider.ts';
import { OperatorError } from './operator-error.ts';

/**
 * What the operator configured. Read once at start from the environment and the command line; nothing else in the
 * product reads the environment.
 */
export type Config = {
  /** Which processes this start runs. All of them unless split over one external PostgreSQL. */
  role: 'all' | 'gate' | 'console' | 'worker';
  port: number;
  /** Addresses to listen on once an admin exists; before, only loopback. */
  listenAddresses: readonly string[];
  /** The OAuth issuer (RFC 8414 §2), an origin without trailing slash. Its host sets and reads no cookie. */
  issuer: string;
  /** Origin of sign-in, claim, waiting room and console; a host other than the issuer's. */
  consoleOrigin: string;
  environment: 'production' | 'staging' | 'sandbox';
  demo: boolean;
  /** Folder of everything this installation generates: database, keys, spools. */
  dataFolder: string;
  /** Owner of an external PostgreSQL; null means the embedded one. */
  databaseUrl: string | null;
  /** The limited roles of an external PostgreSQL; each missing one falls back to the owner and is reported. */
  roleDatabaseUrls: { gate: string | null; console: string | null; sequencer: string | null };
  /** Given instead of the generated file; always 32 bytes. */
  keyEncryptionKey: Buffer | null;
  /** Given instead of the generated file; needed where several consoles share one installation. */
  sessionSecret: string | null;
  /** Networks (CIDR) anonymous registration is taken from while no registration source is approved. */
  registrationNetworks: readonly string[];
  deviceGrant: boolean;
  /** Registrations a minute from one network and from all together, after a burst of twice as many. */
  registrationsPerSource: number;
  registrationsPerMinute: number;
  /** Unclaimed registrations kept from one network and in all; beyond, the oldest of the noisiest network ends. */
  unclaimedPerSource: number;
  unclaimedClients: number;
  /** Free megabytes below which people are told, and below which nobody unknown may register; 0 for neither. */
  diskLowMb: number;
  diskStopMb: number;
  /** Private networks (CIDR) in which MCP servers of the catalogue are asked; public addresses always are. */
  upstreamNetworks: readonly string[];
  /** Networks (CIDR) whose forwarded client address is believed. Empty: nobody's. */
  trustedProxies: readonly string[];
  /** Development only: client metadata documents may be fetched from loopback. Reported loudly. */
  allowLoopbackMetadata: boolean;
  /** First of three loopback ports the example MCP servers' guard listens on; null for no examples. */
  examplePort: number | null;
  smtpUrl: string | null;
  mailFrom: string;
  /** The OpenID Provider people may sign in with beside local accounts; null for none. */
  identityProvider: IdentityProvider | null;
  /** Null for a public client of the provider, which has PKCE alone. */
  identityProviderSecret: string | null;
  logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';
  /** The console's own port on loopback when it runs apart (--role console), and where the gate finds it. */
  consoleUrl: string | null;
  /** The gate's private door for a console that runs apart (the gate listens there), and the secret both share. */
  gateUrl: string | null;
  startSecret: string | null;
};

/** Every wrong value of the environment at once; `problems` are sentences for the operator and carry no value. */
export class ConfigError extends OperatorError {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

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
const shortestSecretLength = 32;

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

export type ConfigOptions = {
  role?: string;
  demo?: boolean;
  /** Folder relative paths are resolved against. */
  workingFolder: string;
};

/**
 * Parses the configuration.
 *
 * @throws ConfigError naming every wrong variable and every contradiction between them, never their values.
 */
export function parseConfig(
  environment: Readonly<Record<string, string | undefined>>,
  options: ConfigOptions,
): Config {
  const problems: string[] = [];
  // An empty variable is an absent one: that is how compose files and CI systems clear them.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  for (const name of Object.keys(given)) {
    if (name.startsWith('COUNTERSIGN_') && !(name in configSchema.shape)) {
      problems.push(`${name} is not a setting of Countersign.`);
    }
  }
  const role = z.enum(['all', 'gate', 'console', 'worker']).safeParse(options.role ?? 'all');
  if (!role.success) problems.push('--role must be gate, console or worker.');

  const parsed = configSchema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues)
      problems.push(`${issue.path.join('.')} ${lowerFirst(issue.message)}.`);
  }
  if (!parsed.success || !role.success) throw new ConfigError(problems);

  const values = parsed.data;
  const demo = options.demo ?? false;
  const issuer = values.COUNTERSIGN_ISSUER ?? `http://localhost:${values.PORT}`;
  const consoleOrigin = values.COUNTERSIGN_CONSOLE_ORIGIN ?? `http://countersign.localhost:${values.PORT}`;
  const publicIssuer = issuer.startsWith('https:');
  const listenAddresses =
    values.COUNTERSIGN_LISTEN ?? (publicIssuer ? ['0.0.0.0', '::'] : ['127.0.0.1', '::1']);

  problems.push(...contradictions(values, { issuer, consoleOrigin, listenAddresses, demo, role: role.data }));
  if (problems.length > 0) throw new ConfigError(problems);

  return {
    role: role.data,
    port: values.PORT,
    listenAddresses,
    issuer,
    consoleOrigin,
    environment: demo ? 'sandbox' : values.COUNTERSIGN_ENVIRONMENT,
    demo,
    dataFolder: path.resolve(options.workingFolder, values.COUNTERSIGN_DATA),
    databaseUrl: values.DATABASE_URL ?? null,
    roleDatabaseUrls: {
      gate: values.COUNTERSIGN_GATE_DATABASE_URL ?? null,
      console: values.COUNTERSIGN_CONSOLE_DATABASE_URL ?? null,
      sequencer: values.COUNTERSIGN_SEQUENCER_DATABASE_URL ?? null,
    },
    keyEncryptionKey: values.COUNTERSIGN_KEY_ENCRYPTION_KEY
      ? Buffer.from(values.COUNTERSIGN_KEY_ENCRYPTION_KEY, 'base64url')
      : null,
    sessionSecret: values.NEXTAUTH_SECRET ?? null,
    registrationNetworks: values.COUNTERSIGN_REGISTRATION_NETWORKS,
    registrationsPerSource: values.COUNTERSIGN_REGISTRATIONS_PER_SOURCE,
    registrationsPerMinute: values.COUNTERSIGN_REGISTRATIONS_PER_MINUTE,
    unclaimedPerSource: values.COUNTERSIGN_UNCLAIMED_PER_SOURCE,
    unclaimedClients: values.COUNTERSIGN_UNCLAIMED_CLIENTS,
    deviceGrant: values.COUNTERSIGN_DEVICE_GRANT,
    diskLowMb: values.COUNTERSIGN_DISK_LOW_MB,
    diskStopMb: values.COUNTERSIGN_DISK_STOP_MB,
    upstreamNetworks: values.COUNTERSIGN_UPSTREAM_NETWORKS,
    trustedProxies: values.COUNTERSIGN_TRUSTED_PROXIES,
    allowLoopbackMetadata: values.COUNTERSIGN_ALLOW_LOOPBACK_METADATA,
    examplePort:
      role.data === 'all' && (values.COUNTERSIGN_EXAMPLES ?? (!values.DATABASE_URL && !publicIssuer))
        ? (values.COUNTERSIGN_EXAMPLE_PORT ?? values.PORT + 1)
        : null,
    smtpUrl: values.COUNTERSIGN_SMTP_URL ?? null,
    mailFrom: values.COUNTERSIGN_MAIL_FROM,
    identityProvider: identityProviderOf(values),
    identityProviderSecret: values.COUNTERSIGN_OIDC_CLIENT_SECRET ?? null,
    logLevel: values.LOG_LEVEL,
    consoleUrl: values.COUNTERSIGN_CONSOLE_URL ?? null,
    gateUrl: values.COUNTERSIGN_GATE_URL ?? null,
    startSecret: values.COUNTERSIGN_START_SECRET ?? null,
  };
}

type Values = z.infer<typeof configSchema>;

function identityProviderOf(values: Values): IdentityProvider | null {
  const { COUNTERSIGN_OIDC_ISSUER: issuer, COUNTERSIGN_OIDC_CLIENT_ID: clientId } = values;
  if (!issuer || !clientId) return null;
  return {
    name: values.COUNTERSIGN_OIDC_NAME ?? new URL(issuer).host,
    issuer,
    clientId,
    scope: values.COUNTERSIGN_OIDC_SCOPE,
    groupsClaim: values.COUNTERSIGN_OIDC_GROUPS_CLAIM,
    roles: values.COUNTERSIGN_OIDC_ROLES,
    enrols: values.COUNTERSIGN_OIDC_ENROL ?? (values.COUNTERSIGN_OIDC_ROLES.length > 0 ? 'groups' : 'anyone'),
    assumesVerifiedEmail: values.COUNTERSIGN_OIDC_ASSUME_VERIFIED_EMAIL,
  };
}

/** What each value alone cannot show. One sentence for each rule that is broken. */
function contradictions(
  values: Values,
  derived: {
    issuer: string;
    consoleOrigin: string;
    listenAddresses: readonly string[];
    demo: boolean;
    role: Config['role'];
  },
): string[] {
  const problems: string[] = [];
  const issuer = new URL(derived.issuer);
  const consoleUrl = new URL(derived.consoleOrigin);
  const onlyLoopback = derived.listenAddresses.every(isLoopbackAddress);

  // Cookies ignore ports, so two ports of one host would still share them.
  if (issuer.hostname === consoleUrl.hostname) {
    problems.push('COUNTERSIGN_CONSOLE_ORIGIN must have another host than COUNTERSIGN_ISSUER.');
  }
  if (isLoopbackHost(consoleUrl.hostname) && !consoleUrl.hostname.endsWith('.localhost')) {
    // Clients on loopback are sent back to these very names, cookies and all.
    problems.push(
      'COUNTERSIGN_CONSOLE_ORIGIN must not be localhost or a loopback address; use a name below .localhost.',
    );
  }
  for (const [name, url] of [
    ['COUNTERSIGN_ISSUER', issuer],
    ['COUNTERSIGN_CONSOLE_ORIGIN', consoleUrl],
  ] as const) {
    if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
      problems.push(`${name} must be https unless its host is loopback.`);
    }
  }
  if (issuer.protocol === 'http:' && !onlyLoopback) {
    problems.push('COUNTERSIGN_LISTEN may name only loopback addresses while COUNTERSIGN_ISSUER is http.');
  }
  if (values.COUNTERSIGN_ISSUER && !values.COUNTERSIGN_CONSOLE_ORIGIN && issuer.protocol === 'https:') {
    problems.push('COUNTERSIGN_CONSOLE_ORIGIN must be given with an https COUNTERSIGN_ISSUER.');
  }
  if (values.COUNTERSIGN_ALLOW_LOOPBACK_METADATA && issuer.protocol === 'https:') {
    problems.push(
      'COUNTERSIGN_ALLOW_LOOPBACK_METADATA is for development and cannot go with an https issuer.',
    );
  }
  if (
    values.COUNTERSIGN_DISK_LOW_MB > 0 &&
    values.COUNTERSIGN_DISK_STOP_MB > values.COUNTERSIGN_DISK_LOW_MB
  ) {
    problems.push('COUNTERSIGN_DISK_STOP_MB must not be above COUNTERSIGN_DISK_LOW_MB.');
  }
  if (!values.COUNTERSIGN_OIDC_ISSUER !== !values.COUNTERSIGN_OIDC_CLIENT_ID) {
    problems.push('COUNTERSIGN_OIDC_ISSUER and COUNTERSIGN_OIDC_CLIENT_ID need each other.');
  }
  if (!values.COUNTERSIGN_OIDC_ISSUER) {
    for (const name of ['CLIENT_SECRET', 'NAME'] as const) {
      if (values[`COUNTERSIGN_OIDC_${name}`])
        problems.push(`COUNTERSIGN_OIDC_${name} needs COUNTERSIGN_OIDC_ISSUER.`);
    }
    if (values.COUNTERSIGN_OIDC_ROLES.length > 0)
      problems.push('COUNTERSIGN_OIDC_ROLES needs COUNTERSIGN_OIDC_ISSUER.');
  }
  if (derived.role !== 'all') {
    if (!values.DATABASE_URL)
      problems.push('--role needs DATABASE_URL: the embedded PostgreSQL serves one start.');
    if (!values.COUNTERSIGN_START_SECRET && derived.role !== 'worker') {
      problems.push('--role gate and --role console need COUNTERSIGN_START_SECRET, the same for both.');
    }
    if (derived.role === 'gate' && !values.COUNTERSIGN_CONSOLE_URL) {
      problems.push('--role gate needs COUNTERSIGN_CONSOLE_URL.');
    }
    if (derived.role !== 'worker' && !values.COUNTERSIGN_GATE_URL) {
      problems.push('--role gate and --role console need COUNTERSIGN_GATE_URL, the same for both.');
    }
    if (derived.role === 'console' && !values.NEXTAUTH_SECRET) {
      problems.push('--role console needs NEXTAUTH_SECRET, the same for all consoles.');
    }
    if (derived.role !== 'console' && !values.COUNTERSIGN_KEY_ENCRYPTION_KEY) {
      problems.push(
        '--role gate and --role worker need COUNTERSIGN_KEY_ENCRYPTION_KEY, the same everywhere.',
      );
    }
  }
  if (derived.demo) {
    if (values.DATABASE_URL) problems.push('The demo uses its own PostgreSQL: unset DATABASE_URL.');
    if (!onlyLoopback) problems.push('The demo listens on loopback only: unset COUNTERSIGN_LISTEN.');
    if (issuer.protocol === 'https:')
      problems.push('The demo has no https issuer: unset COUNTERSIGN_ISSUER.');
    if (derived.role !== 'all') problems.push('The demo runs in one piece: leave out --role.');
  }
  return problems;
}

/** Parses this process's own environment and command line. Called once, by server.ts and the command line tool. */
export function readConfig(
  options: Omit<ConfigOptions, 'workingFolder'> & { workingFolder?: string },
): Config {
  return parseConfig(process.env, { workingFolder: process.cwd(), ...options });
}

/** Names of the settings somebody gave, without their values: what a bundle for helpers may tell of them. */
export function givenSettings(): string[] {
  return Object.keys(configSchema.shape).filter((name) => process.env[name]);
}

/** What the console process is given by its parent; it sees nothing else of the configuration. */
export type ConsoleEnvironment = {
  gate: string;
  startSecret: string;
  databaseUrl: string;
  issuer: string;
  consoleOrigin: string;
  environment: Config['environment'];
  demo: boolean;
  deviceGrant: boolean;
  identityProvider: IdentityProvider | null;
};

/** Environment of the console process: names it reads, values as strings. The inverse of `readConsoleEnvironment`. */
export function toConsoleEnvironment(given: ConsoleEnvironment): Record<string, string> {
  return {
    COUNTERSIGN_GATE_SOCKET: given.gate,
    COUNTERSIGN_START_SECRET: given.startSecret,
    COUNTERSIGN_CONSOLE_DATABASE_URL: given.databaseUrl,
    COUNTERSIGN_ISSUER: given.issuer,
    COUNTERSIGN_CONSOLE_ORIGIN: given.consoleOrigin,
    COUNTERSIGN_ENVIRONMENT: given.environment,
    COUNTERSIGN_DEMO: given.demo ? '1' : '0',
    COUNTERSIGN_DEVICE_GRANT: given.deviceGrant ? '1' : '0',
    COUNTERSIGN_OIDC_PROVIDER: given.identityProvider ? JSON.stringify(given.identityProvider) : '',
  };
}

/**
 * The console's view of the configuration. During `next build` nothing is set and every text is empty: pages must
 * not read it before a request.
 */
export function readConsoleEnvironment(): ConsoleEnvironment {
  const environment = process.env.COUNTERSIGN_ENVIRONMENT;
  return {
    gate: process.env.COUNTERSIGN_GATE_SOCKET ?? '',
    startSecret: process.env.COUNTERSIGN_START_SECRET ?? '',
    databaseUrl: process.env.COUNTERSIGN_CONSOLE_DATABASE_URL ?? '',
    issuer: process.env.COUNTERSIGN_ISSUER ?? '',
    consoleOrigin: process.env.COUNTERSIGN_CONSOLE_ORIGIN ?? '',
    environment: environment === 'staging' || environment === 'sandbox' ? environment : 'production',
    demo: process.env.COUNTERSIGN_DEMO === '1',
    deviceGrant: process.env.COUNTERSIGN_DEVICE_GRANT === '1',
    identityProvider: process.env.COUNTERSIGN_OIDC_PROVIDER
      ? (JSON.parse(process.env.COUNTERSIGN_OIDC_PROVIDER) as IdentityProvider)
      : null,
  };
}

/** The API token the command line calls with; from the environment, because arguments are there for all to read. */
export function readApiToken(): string | null {
  return process.env.COUNTERSIGN_TOKEN || null;
}

/** Our secret at the identity provider, for the exchange of a code; null for a public client. */
export function readIdentityProviderSecret(): string | null {
  return process.env.COUNTERSIGN_OIDC_CLIENT_SECRET || null;
}

/** Protects the sign-in exchange of the console. Throws when the start did not give one that can. */
export function readSignInSecret(): string {
  const given = process.env.NEXTAUTH_SECRET;
  if (!given || given.length < shortestSecretLength)
    throw new Error('NEXTAUTH_SECRET is missing or too short');
  return given;
}

/** What every child process needs of this one's environment, and nothing that could hold a secret of ours. */
export function inheritedEnvironment(): Record<string, string> {
  const names = [
    'PATH',
    'HOME',
    'USERPROFILE',
    'SystemRoot',
    'TEMP',
    'TMP',
    'TMPDIR',
    'LANG',
    'LC_ALL',
    'TZ',
  ];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

/** Whether npm runs this process as a script (it then stands between us and whoever started it). */
export function isStartedByNpm(): boolean {
  return process.env.npm_lifecycle_event !== undefined;
}

/** Gives this very process the environment of a console (--role console, where no parent does). */
export function becomeConsole(environment: Readonly<Record<string, string>>): void {
  Object.assign(process.env, environment);
}

/** Lines for the boot report: every setting that differs from its default, secrets only by their presence. */
export function describeConfig(config: Config): string[] {
  const lines = [
    `issuer            ${config.issuer}`,
    `console           ${config.consoleOrigin}`,
    `listens on        ${config.listenAddresses.join(', ')} port ${config.port}`,
    `environment       ${config.environment}${config.demo ? ' (demo)' : ''}`,
    `data              ${config.dataFolder}`,
    `database          ${config.databaseUrl ? 'external (DATABASE_URL)' : 'embedded PostgreSQL'}`,
    `registration from ${config.registrationNetworks.join(', ') || 'nowhere'}`,
  ];
  if (config.deviceGrant) lines.push('sign-in by code   on (COUNTERSIGN_DEVICE_GRANT)');
  if (config.trustedProxies.length > 0) lines.push(`trusted proxies   ${config.trustedProxies.join(', ')}`);
  if (config.smtpUrl)
    lines.push(`mail              ${new URL(config.smtpUrl).host}, from ${config.mailFrom}`);
  if (config.identityProvider) {
    const { name, issuer, roles } = config.identityProvider;
    lines.push(
      `sign-in           ${name} (${issuer}), ${roles.length === 0 ? 'no roles by group' : `roles by ${roles.length} ${roles.length === 1 ? 'group' : 'groups'}`}`,
    );
  }
  if (config.role !== 'all') lines.push(`role              ${config.role}`);
  return lines;
}

/** What makes this installation weaker than it could be; the boot report prints these in red. */
export function weaknessesOf(config: Config): string[] {
  return weaknessesBySetting(config).map(({ text }) => text);
}

type SettingName = keyof typeof configSchema.shape;

function weaknessesBySetting(config: Config): { setting: SettingName; text: string }[] {
  const weak: { setting: SettingName; text: string }[] = [];
  const add = (setting: SettingName, text: string) => weak.push({ setting, text });
  if (config.databaseUrl) {
    for (const role of ['gate', 'console', 'sequencer'] as const) {
      const setting = `COUNTERSIGN_${role.toUpperCase() as Uppercase<typeof role>}_DATABASE_URL` as const;
      if (!config.roleDatabaseUrls[role]) {
        add(
          setting,
          `The ${role} uses the database owner's account: set ${setting}, ` +
            `so that history is protected from it (role countersign_${role}).`,
        );
      }
    }
    if (!config.keyEncryptionKey) {
      add(
        'COUNTERSIGN_KEY_ENCRYPTION_KEY',
        'The key-encryption key is a file on this host: set COUNTERSIGN_KEY_ENCRYPTION_KEY.',
      );
    }
  }
  if (config.identityProvider?.enrols === 'groups' && config.identityProvider.roles.length === 0) {
    add(
      'COUNTERSIGN_OIDC_ENROL',
      'COUNTERSIGN_OIDC_ENROL admits members of groups, and COUNTERSIGN_OIDC_ROLES names none: nobody new gets in.',
    );
  }
  if (config.identityProvider?.assumesVerifiedEmail) {
    add(
      'COUNTERSIGN_OIDC_ASSUME_VERIFIED_EMAIL',
      'E-mail addresses of the identity provider are believed unverified (COUNTERSIGN_OIDC_ASSUME_VERIFIED_EMAIL).',
    );
  }
  if (config.registrationNetworks.some(isEverywhere)) {
    add(
      'COUNTERSIGN_REGISTRATION_NETWORKS',
      'Clients may register from anywhere (COUNTERSIGN_REGISTRATION_NETWORKS).',
    );
  }
  if (config.trustedProxies.some(isEverywhere)) {
    add(
      'COUNTERSIGN_TRUSTED_PROXIES',
      'Anybody is believed about where a caller comes from (COUNTERSIGN_TRUSTED_PROXIES).',
    );
  }
  if (config.upstreamNetworks.some(isEverywhere)) {
    add(
      'COUNTERSIGN_UPSTREAM_NETWORKS',
      'Whatever private address an admin writes down is asked (COUNTERSIGN_UPSTREAM_NETWORKS).',
    );
  }
  if (config.allowLoopbackMetadata) {
    add(
      'COUNTERSIGN_ALLOW_LOOPBACK_METADATA',
      'Client metadata documents are fetched from loopback (COUNTERSIGN_ALLOW_LOOPBACK_METADATA): development only.',
    );
  }
  if (config.logLevel === 'silent') add('LOG_LEVEL', 'Nothing is logged (LOG_LEVEL).');
  return weak;
}

/** A network that is all of IPv4 or IPv6. */
function isEverywhere(network: string): boolean {
  return network.endsWith('/0');
}

/** One setting as it is in force, for the page that explains the configuration. Carries no secret. */
export type SettingReport = {
  name: string;
  description: string;
  /** As in force; `set` or `not set` for a secret, with its host where that is part of it. Null: none. */
  value: string | null;
  from: 'environment' | 'file' | 'default';
  isSecret: boolean;
  /** What is weaker by it; null: nothing. */
  weakens: string | null;
};

/** Settings whose value is a secret, or holds one. */
const secretSettings: ReadonlySet<SettingName> = new Set<SettingName>([
  'DATABASE_URL',
  'COUNTERSIGN_GATE_DATABASE_URL',
  'COUNTERSIGN_CONSOLE_DATABASE_URL',
  'COUNTERSIGN_SEQUENCER_DATABASE_URL',
  'COUNTERSIGN_KEY_ENCRYPTION_KEY',
  'NEXTAUTH_SECRET',
  'COUNTERSIGN_SMTP_URL',
  'COUNTERSIGN_OIDC_CLIENT_SECRET',
  'COUNTERSIGN_START_SECRET',
]);

/** Every setting as it is in force. Secrets only by their presence. */
export function reportSettings(
  config: Config,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): SettingReport[] {
  const weak = new Map(weaknessesBySetting(config).map(({ setting, text }) => [setting, text]));
  const derived: Partial<Record<SettingName, string>> = {
    COUNTERSIGN_LISTEN: config.listenAddresses.join(', '),
    COUNTERSIGN_ISSUER: config.issuer,
    COUNTERSIGN_CONSOLE_ORIGIN: config.consoleOrigin,
    COUNTERSIGN_ENVIRONMENT: config.environment,
    COUNTERSIGN_DATA: config.dataFolder,
    COUNTERSIGN_EXAMPLES: config.examplePort === null ? 'off' : 'on',
    ...(config.examplePort === null ? {} : { COUNTERSIGN_EXAMPLE_PORT: String(config.examplePort) }),
    ...(config.identityProvider
      ? {
          COUNTERSIGN_OIDC_NAME: config.identityProvider.name,
          COUNTERSIGN_OIDC_ENROL: config.identityProvider.enrols,
        }
      : {}),
  };
  return (Object.entries(configSchema.shape) as [SettingName, z.ZodType][]).map(([name, schema]) => {
    const given = environment[name] || undefined;
    const isSecret = secretSettings.has(name);
    const parsed = schema.safeParse(given);
    const value = isSecret
      ? secretValue(given)
      : (derived[name] ?? (parsed.success ? toText(parsed.data) : null));
    return {
      name,
      description: schema.description ?? '',
      value,
      from: given !== undefined ? (environment[`${name}_FILE`] ? 'file' : 'environment') : 'default',
      isSecret,
      weakens: weak.get(name) ?? null,
    };
  });
}

/** That a secret is there, and where it leads if it is a URL. */
function secretValue(given: string | undefined): string {
  if (given === undefined) return 'not set';
  const host = /^[a-z]+:\/\//.test(given) ? URL.parse(given)?.host : undefined;
  return host ? `set (${host})` : 'set';
}

function toText(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) {
    if (value.length === 0) return 'none';
    return value.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))).join(', ');
  }
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value);
}

/** localhost, anything below it, and the loopback addresses. */
export function isLoopbackHost(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare.endsWith('.localhost') || isLoopbackAddress(bare);
}

function isLoopbackAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
}

function isNetwork(value: string): boolean {
  return ipaddr.isValidCIDR(value);
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
