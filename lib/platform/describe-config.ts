import type { z } from 'zod';
import type { Config } from './env.ts';
import { configSchema, type SettingName } from './settings.ts';

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
