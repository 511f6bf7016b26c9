import { expect, test } from 'vitest';
import { describeConfig, reportSettings, weaknessesOf } from './describe-config.ts';
import { ConfigError, parseConfig } from './env.ts';

const options = { workingFolder: '/srv/countersign' };
const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7)).toString('base64url');

function problemsOf(
  environment: Record<string, string>,
  more: { role?: string; demo?: boolean } = {},
): string[] {
  try {
    parseConfig(environment, { ...options, ...more });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return [...error.problems];
    throw error;
  }
}

test('an empty environment is a complete configuration on loopback', () => {
  const config = parseConfig({}, options);
  expect(config).toMatchObject({
    role: 'all',
    port: 3000,
    issuer: 'http://localhost:3000',
    consoleOrigin: 'http://countersign.localhost:3000',
    listenAddresses: ['127.0.0.1', '::1'],
    dataFolder: '/srv/countersign/.countersign',
    databaseUrl: null,
    registrationsPerSource: 30,
    registrationsPerMinute: 240,
    unclaimedPerSource: 200,
    unclaimedClients: 2_000,
    trustedProxies: [],
  });
});

test('both names follow the port', () => {
  const config = parseConfig({ PORT: '4310' }, options);
  expect([config.issuer, config.consoleOrigin]).toEqual([
    'http://localhost:4310',
    'http://countersign.localhost:4310',
  ]);
});

test('every wrong value is reported at once, by name and without the value', () => {
  const problems = problemsOf({
    PORT: 'many',
    DATABASE_URL: 'mysql://root:hunter2@db/x',
    COUNTERSIGN_ISSUER: 'https://auth.example.com/path',
    COUNTERSIGN_KEY_ENCRYPTION_KEY: 'hunter2',
    COUNTERSIGN_ISUER: 'https://auth.example.com',
    LOG_LEVEL: 'loud',
  });
  for (const name of [
    'PORT',
    'DATABASE_URL',
    'COUNTERSIGN_ISSUER',
    'COUNTERSIGN_KEY_ENCRYPTION_KEY',
    'COUNTERSIGN_ISUER',
    'LOG_LEVEL',
  ]) {
    expect(problems.some((problem) => problem.startsWith(`${name} `))).toBe(true);
  }
  expect(problems.join('\n')).not.toContain('hunter2');
});

test.each([
  [
    'one host for issuer and console',
    { COUNTERSIGN_CONSOLE_ORIGIN: 'http://localhost:9000' },
    /another host/,
  ],
  [
    'a console on a loopback address',
    { COUNTERSIGN_CONSOLE_ORIGIN: 'http://127.0.0.1:3000' },
    /loopback address/,
  ],
  [
    'plain http beyond loopback',
    {
      COUNTERSIGN_ISSUER: 'http://auth.example.com',
      COUNTERSIGN_CONSOLE_ORIGIN: 'https://console.example.com',
    },
    /must be https/,
  ],
  ['an open address with an http issuer', { COUNTERSIGN_LISTEN: '0.0.0.0' }, /only loopback/],
  ['an https issuer without console', { COUNTERSIGN_ISSUER: 'https://auth.example.com' }, /must be given/],
  ['a weak session secret', { NEXTAUTH_SECRET: 'a'.repeat(40) }, /random/],
  ['a weak key', { COUNTERSIGN_KEY_ENCRYPTION_KEY: Buffer.alloc(32).toString('base64url') }, /random/],
  [
    'the development setting in public',
    {
      COUNTERSIGN_ISSUER: 'https://auth.example.com',
      COUNTERSIGN_CONSOLE_ORIGIN: 'https://console.example.com',
      COUNTERSIGN_ALLOW_LOOPBACK_METADATA: '1',
    },
    /for development/,
  ],
  ['a network that is none', { COUNTERSIGN_TRUSTED_PROXIES: '10.0.0.0' }, /list of networks/],
  ['an identity provider without client_id', { COUNTERSIGN_OIDC_ISSUER: 'https://id.example' }, /each other/],
  [
    'an identity provider in the open',
    { COUNTERSIGN_OIDC_ISSUER: 'http://id.example', COUNTERSIGN_OIDC_CLIENT_ID: 'c' },
    /COUNTERSIGN_OIDC_ISSUER must be the https URL/,
  ],
  ['roles of no provider', { COUNTERSIGN_OIDC_ROLES: '{"a":["owner"]}' }, /needs COUNTERSIGN_OIDC_ISSUER/],
  ['roles that are none', { COUNTERSIGN_OIDC_ROLES: '{"a":["root"]}' }, /COUNTERSIGN_OIDC_ROLES/],
  ['roles that are no JSON', { COUNTERSIGN_OIDC_ROLES: 'a=owner' }, /must be JSON/],
  ['a scope without openid', { COUNTERSIGN_OIDC_SCOPE: 'email' }, /must contain openid/],
])('refuses %s', (_title, environment, reason) => {
  expect(problemsOf(environment).join('\n')).toMatch(reason);
});

test('a split start needs the database and the shared secrets', () => {
  expect(problemsOf({}, { role: 'gate' })).toHaveLength(5);
  expect(
    problemsOf(
      {
        COUNTERSIGN_GATE_URL: 'http://10.0.0.3:4001',
        DATABASE_URL: 'postgresql://owner:x@db/countersign',
        COUNTERSIGN_START_SECRET: 'x9'.repeat(20),
        COUNTERSIGN_CONSOLE_URL: 'http://10.0.0.4:4000',
        COUNTERSIGN_KEY_ENCRYPTION_KEY: key,
      },
      { role: 'gate' },
    ),
  ).toEqual([]);
  expect(problemsOf({}, { role: 'everything' })).toEqual(['--role must be gate, console or worker.']);
});

test('the demo refuses everything that could expose it', () => {
  expect(problemsOf({ DATABASE_URL: 'postgresql://o:x@db/c' }, { demo: true })).toHaveLength(1);
  expect(
    problemsOf(
      {
        COUNTERSIGN_ISSUER: 'https://auth.example.com',
        COUNTERSIGN_CONSOLE_ORIGIN: 'https://console.example.com',
      },
      { demo: true },
    ),
  ).toHaveLength(2);
});

test('an external database with one account is reported as weaker, in words that hold no secret', () => {
  const config = parseConfig({ DATABASE_URL: 'postgresql://owner:hunter2@db/countersign' }, options);
  expect(weaknessesOf(config)).toHaveLength(4);
  expect([...weaknessesOf(config), ...describeConfig(config)].join('\n')).not.toContain('hunter2');
});

test('an identity provider is known by its issuer to the byte and by its host to people', () => {
  const config = parseConfig(
    {
      COUNTERSIGN_OIDC_ISSUER: 'https://id.example/tenant/',
      COUNTERSIGN_OIDC_CLIENT_ID: 'countersign',
      COUNTERSIGN_OIDC_CLIENT_SECRET: 'hunter2hunter2',
      COUNTERSIGN_OIDC_ROLES: '{"CN=a, OU=b":["owner","approver"]}',
    },
    { workingFolder: '/' },
  );
  expect(config.identityProvider).toEqual({
    name: 'id.example',
    issuer: 'https://id.example/tenant/',
    clientId: 'countersign',
    scope: 'openid profile email',
    groupsClaim: 'groups',
    roles: [{ group: 'CN=a, OU=b', roles: ['owner', 'approver'] }],
    enrols: 'groups',
    assumesVerifiedEmail: false,
  });
  expect(describeConfig(config).join('\n')).not.toContain('hunter2');
});

test('the report of settings says where each value is from and what it weakens, and carries no secret', () => {
  const environment = {
    PORT: '4880',
    DATABASE_URL: 'postgresql://owner:hunter2hunter2@db.example:5432/countersign',
    COUNTERSIGN_KEY_ENCRYPTION_KEY: key,
    COUNTERSIGN_KEY_ENCRYPTION_KEY_FILE: '/run/secrets/key',
    COUNTERSIGN_SMTP_URL: 'smtps://mailer:hunter2hunter2@mail.example:465',
    COUNTERSIGN_REGISTRATION_NETWORKS: '0.0.0.0/0',
    COUNTERSIGN_OIDC_ISSUER: 'https://id.example',
    COUNTERSIGN_OIDC_CLIENT_ID: 'countersign',
    COUNTERSIGN_OIDC_CLIENT_SECRET: 'hunter2hunter2',
    LOG_LEVEL: 'silent',
  };
  const { COUNTERSIGN_KEY_ENCRYPTION_KEY_FILE: _, ...parsed } = environment;
  const report = reportSettings(parseConfig(parsed, options), environment);
  expect(JSON.stringify(report)).not.toContain('hunter2');
  expect(JSON.stringify(report)).not.toContain(key);
  const of = (name: string) => report.find((setting) => setting.name === name);
  expect(of('PORT')).toMatchObject({ value: '4880', from: 'environment', weakens: null });
  expect(of('COUNTERSIGN_ISSUER')).toMatchObject({ value: 'http://localhost:4880', from: 'default' });
  expect(of('DATABASE_URL')).toMatchObject({ value: 'set (db.example:5432)', isSecret: true });
  expect(of('COUNTERSIGN_KEY_ENCRYPTION_KEY')).toMatchObject({ value: 'set', from: 'file' });
  expect(of('COUNTERSIGN_SMTP_URL')?.value).toBe('set (mail.example:465)');
  expect(of('COUNTERSIGN_START_SECRET')).toMatchObject({ value: 'not set', from: 'default' });
  expect(of('COUNTERSIGN_GATE_DATABASE_URL')?.weakens).toContain("the database owner's account");
  expect(of('COUNTERSIGN_REGISTRATION_NETWORKS')?.weakens).toContain('from anywhere');
  expect(of('LOG_LEVEL')?.weakens).toContain('Nothing is logged');
  expect(report.every((setting) => setting.description.length > 0)).toBe(true);
});

test('every setting that could hold a secret is known to hold one', () => {
  const report = reportSettings(parseConfig({}, options), {});
  const looksSecret = report.filter(({ name }) => /SECRET|PASSWORD|_KEY$|DATABASE_URL|SMTP_URL/.test(name));
  expect(looksSecret.length).toBeGreaterThan(7);
  expect(looksSecret.filter((setting) => !setting.isSecret)).toEqual([]);
});
