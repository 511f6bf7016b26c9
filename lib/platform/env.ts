import path from 'node:path';
import { z } from 'zod';
import type { IdentityProvider } from './identity-provider.ts';
import { OperatorError } from './operator-error.ts';
import { configSchema, isLoopbackAddress, isLoopbackHost, type Values } from './settings.ts';

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

/** The API token the command line calls with; from the environment, because arguments are there for all to read. */
export function readApiToken(): string | null {
  return process.env.COUNTERSIGN_TOKEN || null;
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

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
