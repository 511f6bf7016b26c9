import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startThrowAwayCluster, type ThrowAwayCluster } from '../../server/postgres/throw-away.ts';
import { type Product, startProduct } from '../../tests/product.ts';
import { type CrashTown, type KeyedAgent, openCrashTown } from '../support/crash-town.ts';
import { type Host, runCommand } from '../support/host.ts';

/** From the embedded PostgreSQL to another in one command: clients notice nothing, and the old one is not started by accident. */

let town: CrashTown;
let other: ThrowAwayCluster;
let moved: Product | null = null;
let agent: KeyedAgent;
let token: string;

beforeAll(async () => {
  other = await startThrowAwayCluster('move');
  await asSuperuser('postgres', `CREATE ROLE tess LOGIN PASSWORD 'a/b c' CREATEROLE`);
  await asSuperuser('postgres', `CREATE DATABASE countersign OWNER tess`);
  await asSuperuser('postgres', `CREATE DATABASE taken OWNER tess`);
  await asSuperuser('taken', `CREATE TABLE accounts (id int)`);
  town = await openCrashTown();
  const filing = await town.prepareFiling('moved');
  const { requestId, agentId } = await town.file(filing, 'moved');
  await town.approve(requestId);
  agent = { agentId, clientId: await town.clientOf(agentId), key: filing.key };
  token = (await town.mint(agent)).token;
}, 240_000);
afterAll(async () => {
  await moved?.stop();
  await town?.stop();
  await other?.stop();
});

async function asSuperuser(database: string, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: other.url(database) });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

const host = (environment: Record<string, string> = {}): Host => ({
  port: town.product.port,
  dataFolder: town.product.dataFolder,
  environment,
});

function targetUrl(database: string): string {
  const url = new URL(other.url(database));
  url.username = 'tess';
  url.password = 'a/b c';
  return url.href;
}

test('refuses while the server runs, and a target that is not empty, not there or not a database', {
  timeout: 120_000,
}, async () => {
  const refusal = async (url: string) => {
    const { code, output } = await runCommand(host(), 'move', '--to', url);
    expect(code).toBe(1);
    expect(output).not.toMatch(/\n\s+at |a\/b|a%2Fb/);
    return output;
  };
  expect(await refusal(targetUrl('countersign'))).toMatch(/already runs .* Stop it first/);
  await town.product.stop({ keepData: true });
  expect(await refusal(targetUrl('taken'))).toMatch(/The database is not empty/);
  expect(await refusal('postgresql://tess@127.0.0.1:1/x')).toMatch(/127\.0\.0\.1:1\/x cannot be reached/);
  expect(await refusal('mysql://x')).toMatch(/must be a postgresql:\/\/ URL/);
});

test('copies everything, marks the old folder, and the same clients go on over the new database', {
  timeout: 240_000,
}, async () => {
  const result = await runCommand(host(), 'move', '--to', targetUrl('countersign'));
  expect([result.output, result.code]).toEqual([expect.stringContaining('the same on both sides'), 0]);
  expect(result.output).not.toMatch(/a\/b|a%2Fb/);
  const file = path.join(town.product.dataFolder, 'secrets', 'external-database.env');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const settings = Object.fromEntries(
    (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2)),
  ) as Record<string, string>;
  expect(Object.keys(settings)).toHaveLength(4);

  await expect(
    startProduct({ port: town.product.port, dataFolder: town.product.dataFolder }),
  ).rejects.toThrow(/was moved to .*countersign .*would be a second history/s);
  expect((await runCommand(host(), 'admin', 'first')).output).toMatch(/was moved to/);
  expect((await runCommand(host(), 'move', '--to', targetUrl('countersign'))).output).toMatch(/was moved to/);

  moved = await startProduct({
    port: town.product.port,
    dataFolder: town.product.dataFolder,
    environment: { ...settings, LOG_LEVEL: 'error' },
  });
  expect(moved.output()).not.toMatch(/Weaker than it could be: The (gate|console|sequencer)/);
  expect((await town.call('ava', 'GET', '/issuance')).body).toMatchObject({ stoppedAt: null });
  expect((await town.mint(agent)).token).not.toBe(token);
  await expect(
    asSuperuser('countersign', `SET ROLE countersign_gate; DELETE FROM audit_event`),
  ).rejects.toThrow('permission denied');
  const events = await asSuperuser(
    'countersign',
    `SELECT data FROM audit_event WHERE kind = 'installation.move' ORDER BY arrival DESC`,
  );
  expect(JSON.stringify(events)).not.toMatch(/a\/b|tess/);
  expect((await runCommand(host(), 'move', '--undo')).output).toMatch(/already runs .* Stop it first/);
  await moved.stop({ keepData: true });
  moved = null;
});

test('can be undone on the host, which says what that means', { timeout: 120_000 }, async () => {
  const undone = await runCommand(host(), 'move', '--undo');
  expect(undone).toMatchObject({ code: 0, output: expect.stringContaining('Never let it run beside') });
  expect((await runCommand(host(), 'move', '--undo')).output).toMatch(/Nothing of .* was moved/);
  moved = await startProduct({ port: town.product.port, dataFolder: town.product.dataFolder });
  expect((await town.call('ava', 'GET', '/issuance')).status).toBe(200);
});
