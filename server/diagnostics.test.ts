import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { openVault, randomToken } from '#lib/platform/crypto.ts';
import { parseConfig } from '#lib/platform/env.ts';
import { createApprovedAgent } from '#tests/credentials-world.ts';
import { testCtx } from '#tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { addPerson } from '#tests/people.ts';
import { collectDiagnostics } from './diagnostics.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database?.drop());
afterEach(() => vi.unstubAllEnvs());

test('a bundle has what helps and none of the secrets planted everywhere', async () => {
  const canary = () => `canary${randomBytes(16).toString('hex')}`;
  const planted: string[] = [];
  const plant = () => {
    const value = canary();
    planted.push(value);
    return value;
  };
  const key = Buffer.from(randomToken(), 'base64url');
  planted.push(key.toString('base64url'), key.toString('base64'), key.toString('hex'));
  const environment = {
    DATABASE_URL: `postgresql://owner:${plant()}@db.example/countersign`,
    COUNTERSIGN_SMTP_URL: `smtp://mailer:${plant()}@mail.example`,
    COUNTERSIGN_KEY_ENCRYPTION_KEY: key.toString('base64url'),
    NEXTAUTH_SECRET: `${plant()}${randomToken()}`,
    COUNTERSIGN_START_SECRET: `${plant()}${randomToken()}`,
    COUNTERSIGN_OIDC_ISSUER: 'https://id.example',
    COUNTERSIGN_OIDC_CLIENT_ID: 'countersign',
    COUNTERSIGN_OIDC_CLIENT_SECRET: plant(),
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const ctx = testCtx(database.db, undefined, { vault: openVault(key), clock: systemClock });
  const admin = await addPerson(database.db, plant(), ['admin'], { password: plant() });
  const { token } = await createApiToken(
    { ...ctx, actor: { ...admin, elevatedAt: systemClock.now() } },
    { name: plant(), days: 1 },
  );
  planted.push(token);
  const agent = await createApprovedAgent(ctx, { authMethod: 'client_secret_basic' });
  planted.push(agent.secret as string);
  const { prisma } = database.db;
  await prisma.agent.updateMany({ data: { name: plant() } });
  await prisma.client.updateMany({ data: { name: plant(), metadata: { client_uri: plant() } } });
  await prisma.mcpServer.updateMany({
    data: {
      upstreamCredential: plant(),
      lastSyncError: `401 for Bearer ${plant()} of ${plant()}@people.example`,
    },
  });
  await prisma.outboxMessage.create({
    data: {
      id: 'obm_x',
      channel: 'mail',
      destination: `${plant()}@people.example`,
      kind: 'x',
      payload: { text: plant() },
      createdAt: new Date(),
      nextAttemptAt: new Date(),
      lastError: `550 no such user: nora@people.example, link http://x/enrol#${plant()}`,
    },
  });

  const bundle = await collectDiagnostics({
    config: parseConfig(environment, { workingFolder: '/tmp' }),
    clock: systemClock,
    version: '1.2.3',
    ownerUrl: database.urls.owner,
    databaseProblem: null,
  });
  const text = JSON.stringify(bundle);
  expect(planted.filter((value) => text.includes(value))).toEqual([]);
  expect(text).not.toMatch(/people\.example/);
  expect(bundle).toMatchObject({
    versions: { countersign: '1.2.3', postgresql: expect.stringMatching(/^\d+/) },
    migrations: { missing: [], unfinished: [] },
    counts: { 'agent active': 1 },
    state: { issuanceStoppedAt: null, restoreUnfinished: false },
    configuration: { settingsGiven: expect.arrayContaining(['DATABASE_URL', 'NEXTAUTH_SECRET']) },
  });
  expect(bundle.problems).toEqual([
    { what: 'message by mail', text: expect.stringContaining('550 no such user') },
    { what: 'tools of a server', text: expect.stringContaining('401 for') },
  ]);
});

test('without a database, and without a server, it has the rest and says why', async () => {
  const config = parseConfig({ PORT: '4844' }, { workingFolder: '/tmp' });
  const common = { config, clock: systemClock, version: '1.2.3' };
  const away = await collectDiagnostics({
    ...common,
    ownerUrl: null,
    databaseProblem: 'The server is starting.',
  });
  expect(away).toMatchObject({
    counts: { failed: 'The server is starting.' },
    health: { failed: expect.stringContaining('ECONNREFUSED') },
    versions: { node: process.version },
  });
  const url = 'postgresql://owner:hunter2hunter2@127.0.0.1:1/x';
  const refused = await collectDiagnostics({ ...common, ownerUrl: url, databaseProblem: null });
  expect(refused.migrations).toMatchObject({ failed: expect.stringContaining('ECONNREFUSED') });
  expect(JSON.stringify(refused)).not.toContain('hunter2');
});
