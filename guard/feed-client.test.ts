import { KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectGuard, type RunningGuard } from './guard.ts';
import { formatJoinToken, type PublicJwk, parseJoinToken } from './protocol.ts';
import { FaultProxy } from './testing/fault-proxy.ts';
import { reviewedTool, SmallGate } from './testing/small-gate.ts';

const serverId = 'srv_1';
let folder: string;
let proxy: FaultProxy;
let gate: SmallGate;
let guard: RunningGuard | null;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'feed-'));
  proxy = await FaultProxy.start(() => gate.port);
  gate = await SmallGate.start(0, proxy.port);
  gate.addServer({
    server: { id: serverId, name: 'One', resource: 'http://127.0.0.1:4102/mcp' },
    tools: [reviewedTool({ name: 'read' })],
  });
  guard = null;
});
afterEach(async () => {
  await guard?.stop();
  await proxy.close();
  await gate.close();
  rmSync(folder, { recursive: true, force: true });
});

async function connect(): Promise<RunningGuard> {
  guard = await connectGuard({ stateDir: folder, joinToken: await gate.joinToken(serverId) });
  await guard.ready();
  return guard;
}
const live = () => guard?.feed.lease.live() ?? false;
const refusedWith = (text: string) =>
  new Promise<string>((resolve) =>
    guard?.feed.on('refused', (detail) => detail.includes(text) && resolve(detail)),
  );

describe('enrolment', () => {
  test('spends the join token once', async () => {
    const joinToken = await gate.joinToken(serverId);
    guard = await connectGuard({ stateDir: folder, joinToken });
    await expect(connectGuard({ stateDir: path.join(folder, 'other'), joinToken })).rejects.toThrow(
      'join_token_invalid',
    );
  });

  test('believes only the gate whose feed key the join token names', async () => {
    const token = parseJoinToken(await gate.joinToken(serverId));
    const joinToken = formatJoinToken({ ...token, fkt: 'A'.repeat(43) });
    await expect(connectGuard({ stateDir: folder, joinToken })).rejects.toThrow(
      'the key the join token names',
    );
  });

  test('needs no token again, and keeps its keys to itself', async () => {
    const first = await connect();
    await first.stop();
    guard = await connectGuard({ stateDir: folder });
    await guard.ready();
    expect(guard.guardId).toBe(first.guardId);
    expect([...gate.guards.keys()]).toEqual([first.guardId]);
  });
});

describe('the feed', () => {
  test('brings what is published, acknowledged per sequence', async () => {
    await connect();
    const { agent } = await gate.grant(serverId, ['read']);
    await expect.poll(() => guard?.feed.current(serverId)?.agents.has(agent.id)).toBe(true);
    await expect
      .poll(() => gate.acks.some(({ applied }) => applied.some((each) => each.sequence === 2)))
      .toBe(true);
  });

  test('cut off without a word: nothing is believed 5 s later, and 5 s at most', async () => {
    await connect();
    proxy.blackhole = true;
    const cutAtMs = performance.now();
    await expect.poll(live, { timeout: 7_000, interval: 20 }).toBe(false);
    expect(performance.now() - cutAtMs).toBeLessThan(5_100);
    proxy.blackhole = false;
    await expect.poll(live, { timeout: 10_000 }).toBe(true);
  });

  test('held back by more than a lease without losing its rhythm: never believed', async () => {
    await connect();
    proxy.delayMs = 6_000;
    await expect.poll(live, { timeout: 8_000, interval: 50 }).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(live()).toBe(false);
  }, 30_000);

  test('a recording of an earlier connection is worth nothing', async () => {
    await connect();
    const recorded = [...gate.sent];
    await guard?.stop();
    guard = await connectGuard({ stateDir: folder });
    gate.heartbeats = false;
    const detail = refusedWith('another');
    for (const jws of recorded) gate.sendRaw(jws);
    await expect.poll(() => gate.connectionCount).toBeGreaterThan(0);
    for (const jws of recorded) gate.sendRaw(jws);
    await detail;
    expect(live()).toBe(false);
  });

  test('a gap costs the lease until the guard is in step again', async () => {
    await connect();
    const { agent } = await gate.grant(serverId, ['read']);
    await expect.poll(() => guard?.feed.slices.get(serverId)?.head).toBe(2);
    const gap = refusedWith('does not follow');
    gate.sendRaw(
      await gate.sign({
        type: 'delta',
        iss: gate.issuer,
        generation: 1,
        serverId,
        entries: [{ sequence: 9, atMs: 1, kind: 'agent.changed', agent }],
      }),
    );
    await gap;
    expect(live()).toBe(false);
    await expect.poll(live, { timeout: 5_000 }).toBe(true);
    expect(guard?.feed.slices.get(serverId)?.head).toBe(2);
  });

  test('a repeated delta changes nothing', async () => {
    await connect();
    const { agent } = await gate.grant(serverId, ['read']);
    await gate.stopAgent(serverId, agent.id);
    for (const jws of gate.sent.slice(-3)) gate.sendRaw(jws);
    await gate.beat();
    await expect.poll(() => guard?.feed.slices.get(serverId)?.head).toBe(3);
    expect(guard?.feed.slices.get(serverId)?.agents.get(agent.id)?.state).toBe('revoked');
    expect(live()).toBe(true);
  });

  test('an epoch that goes back is not taken in', async () => {
    await connect();
    const { agent } = await gate.grant(serverId, ['read'], { agent: { epoch: 5 } });
    const regression = refusedWith('an epoch went back');
    await expect.poll(() => guard?.feed.slices.get(serverId)?.head).toBe(2);
    gate.sendRaw(
      await gate.sign({
        type: 'delta',
        iss: gate.issuer,
        generation: 1,
        serverId,
        entries: [{ sequence: 3, atMs: 1, kind: 'agent.changed', agent: { ...agent, epoch: 4 } }],
      }),
    );
    await regression;
  });

  test('a message signed by any other key is not taken in', async () => {
    await connect();
    const other = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    const mine = gate.feedKey;
    const forged = refusedWith('');
    gate.feedKey = { kid: mine.kid, privateKey: KeyObject.from(other.privateKey) };
    gate.sendRaw(await gate.sign({ ...gate.snapshot(serverId), head: 99 }));
    gate.feedKey = mine;
    await forged;
    expect(guard?.feed.slices.get(serverId)?.head).toBe(0);
  });

  test('a digest that differs makes the guard start over from a snapshot', async () => {
    await connect();
    const { agent } = await gate.grant(serverId, ['read']);
    await expect.poll(() => guard?.feed.slices.get(serverId)?.head).toBe(2);
    // As if a message had been lost inside the guard.
    guard?.feed.slices.get(serverId)?.agents.clear();
    const slice = guard?.feed.slices.get(serverId);
    slice?.apply({ sequence: 3, atMs: 1, kind: 'agent.changed', agent });
    if (slice) slice.head = 2;
    await gate.beat();
    await expect.poll(live, { timeout: 5_000 }).toBe(true);
    await expect.poll(() => guard?.feed.slices.get(serverId)?.agents.has(agent.id)).toBe(true);
  });

  test('a restored backup is told from its shorter history, also by a guard that was restarted', async () => {
    await connect();
    const { agent } = await gate.grant(serverId, ['read']);
    await gate.stopAgent(serverId, agent.id);
    await expect.poll(() => guard?.feed.slices.get(serverId)?.head).toBe(3);
    await guard?.stop();

    const known = gate.servers.get(serverId);
    if (!known) throw new TypeError('no server');
    gate.addServer({ server: known.slice.server, tools: [...known.slice.tools.values()] });
    guard = await connectGuard({ stateDir: folder });
    await expect
      .poll(() => gate.acks.flatMap(({ ahead }) => ahead))
      .toContainEqual({ serverId, knownHead: 3, offeredHead: 0, generation: 1 });
    expect(live()).toBe(false);

    // An administrator acknowledges: a new generation. What was revoked stays so.
    gate.generation = 2;
    const again = gate.servers.get(serverId);
    if (again) again.slice.generation = 2;
    await expect.poll(live, { timeout: 10_000 }).toBe(true);
    expect(guard.feed.floors().epoch(agent.id)).toBe(2);
  });

  test('an issuer epoch that went back is refused', async () => {
    gate.issuerEpoch = 7;
    await connect();
    gate.issuerEpoch = 6;
    const refused = refusedWith('issuer epoch');
    await gate.beat();
    await refused;
    expect(live()).toBe(false);
  });

  test('a revoked guard learns nothing more and permits nothing', async () => {
    const { guardId } = await connect();
    const enrolled = gate.guards.get(guardId);
    if (enrolled) enrolled.revoked = true;
    await gate.hangUp();
    await gate.listen();
    await expect.poll(live, { timeout: 7_000 }).toBe(false);
  });

  test('another guard cannot speak for this one', async () => {
    const { guardId } = await connect();
    const stranger = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    await guard?.stop();
    const identity = JSON.parse(readFileSync(path.join(folder, 'identity.json'), 'utf8'));
    identity.signingKey = await exportJWK(stranger.privateKey);
    writeFileSync(path.join(folder, 'identity.json'), JSON.stringify(identity));
    const acksBefore = gate.acks.length;
    guard = await connectGuard({ stateDir: folder });
    await expect(guard.ready(1_500)).rejects.toThrow('no lease');
    expect(guard.guardId).toBe(guardId);
    expect(gate.acks.length).toBe(acksBefore);
  });

  test('feed keys may change by the word of the old one', async () => {
    await connect();
    const next = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    const nextJwk = {
      ...((await exportJWK(next.publicKey)) as PublicJwk),
      kid: 'feed-2',
      alg: 'EdDSA' as const,
    };
    await gate.rotateFeedKey({ kid: 'feed-2', privateKey: KeyObject.from(next.privateKey) }, nextJwk);
    await expect.poll(live).toBe(true);
    const { agent } = await gate.grant(serverId, ['read']);
    await expect.poll(() => guard?.feed.current(serverId)?.agents.has(agent.id)).toBe(true);
  });
});
