import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { addCommandLineKey } from '#lib/access/command-line-keys.ts';
import { ctxOf } from '../gate/context.ts';
import { startTestGate, type TestGate } from '../tests/gate.ts';
import { buildRequestsWorld, fileRequest, type RequestsWorld, stateOf } from '../tests/requests-world.ts';

let gate: TestGate;
let world: RequestsWorld;
let folder: string;
let token: string;

beforeAll(async () => {
  gate = await startTestGate(4821);
  world = await buildRequestsWorld(gate.database.db);
  folder = await mkdtemp(path.join(os.tmpdir(), 'countersign-cli-'));
  token = (await createApiToken(ava(), { name: 'Terminal', days: 1 })).token;
});
afterAll(async () => {
  await gate?.close();
  await rm(folder, { recursive: true });
});

const ava = () =>
  ctxOf(gate.running.gate, { actor: { ...world.ava, elevatedAt: new Date() }, address: '127.0.0.1' });

/** The command line in a process of its own, as somebody types it. */
async function countersign(...words: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
  const args = ['--import', './scripts/prepare.mjs', 'cli/main.ts', ...words];
  const { COUNTERSIGN_TOKEN: _, ...environment } = process.env;
  const env = { ...environment, COUNTERSIGN_TOKEN: token };
  return promisify(execFile)(process.execPath, args, { env }).then(
    ({ stdout, stderr }) => ({ stdout, stderr, code: 0 }),
    (error: { stdout: string; stderr: string; code: number }) => error,
  );
}

test('keys new, registered in the settings, and approve: the whole way on the command line', async () => {
  const file = path.join(folder, 'approver.jwk');
  const made = await countersign('keys', 'new', file);
  expect(made).toMatchObject({ code: 0 });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(made.stdout).not.toContain('"d"');
  expect(await countersign('keys', 'new', file)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/exists already/),
  });
  expect(JSON.parse(await readFile(file, 'utf8'))).toHaveProperty('d');

  const request = await fileRequest(world);
  const { number } = await stateOf(world, request.id);
  const args = ['approve', `cs-${number}`, '--key', file, '--url', gate.issuer, '--yes'];
  expect(await countersign(...args)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/not one of yours/),
  });
  await addCommandLineKey(ava(), { name: 'Terminal', publicKey: made.stdout });
  const done = await countersign(...args, '--comment', 'Looks right');
  expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/write_note: write, medium risk/) });
  expect(done.stdout).toMatch(/approved\.\n$/);
  const { state, votes } = await stateOf(world, request.id);
  expect(state).toBe('approved');
  expect(votes).toMatchObject([{ personId: world.ava.personId, reason: 'Looks right' }]);
  expect(await countersign(...args)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/does not wait/),
  });
}, 60_000);
