import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { guardPaths, messageTypes } from '#guard/protocol.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { newId } from '#lib/platform/ids.ts';
import { revokeAgent, stopAgentInput } from '#lib/revocation/stop-agent.ts';
import { createApprovedAgent, createServer } from '../tests/credentials-world.ts';
import { type BenchRow, round } from './row.ts';
import { sides } from './sides.ts';

const guardCount = 1_000;
const events = 50;
/** Revocations before the counted ones: until every reader has its opening messages, nobody is told anything new. */
const warmUps = 5;
const goalMs = 50;
const goalRatio = 1.5;

/**
 * `push`: from the commit of a revocation to the last of a thousand guards having read it, and beside it, in the same
 * run and in turns, a bare node:http stream woken by the same LISTEN. A guard's message is signed, checked against the
 * primary and numbered; the bare one is the id alone.
 */
export async function run(): Promise<BenchRow[]> {
  const { ours } = await sides();
  const { ctx } = ours;
  const { serverId, resource, tools } = await createServer(ctx, [{ name: 'read_note' }]);
  await ctx.db.prisma.feedHead.upsert({ where: { serverId }, create: { serverId }, update: {} });
  const agents: string[] = [];
  for (let index = 0; index < warmUps + events; index++) {
    const { agentId } = await createApprovedAgent(ctx, { server: { serverId, resource, tools } });
    agents.push(agentId);
  }
  const bare = await child('bare-push.ts', { PUSH_DATABASE_URL: ctx.db.url });
  const bareReaders = await child('feed-readers.ts', {});
  const guardReaders = await child('feed-readers.ts', {});
  try {
    const { port } = await message<{ port: number }>(bare);
    bareReaders.send({
      targets: Array.from({ length: guardCount }, () => ({ url: `http://127.0.0.1:${port}/`, headers: {} })),
    });
    await message(bareReaders);
    guardReaders.send({ targets: await guardTargets(ctx, ours, serverId, guardCount) });
    await message(guardReaders);

    const ourTimes: number[] = [];
    const bareTimes: number[] = [];
    for (const [index, agentId] of agents.entries()) {
      // A push may overtake the answer to the commit that caused it, so its reader is awaited from before.
      const told = lastReader(guardReaders, nowMs());
      await revokeAgent(ctx, stopAgentInput.parse({ agentId }));
      const committedAtMs = nowMs();
      const ourMs = Math.max(0, (await told) - committedAtMs);

      const bareTold = lastReader(bareReaders, nowMs());
      await ctx.db.hot.query('SELECT pg_notify($1, $2)', ['bare_push', agentId]);
      const bareCommittedAtMs = nowMs();
      const bareMs = Math.max(0, (await bareTold) - bareCommittedAtMs);
      if (index < warmUps) continue;
      ourTimes.push(ourMs);
      bareTimes.push(bareMs);
    }
    const value = percentile(ourTimes, 0.99);
    const peer = percentile(bareTimes, 0.99);
    return [
      {
        row: 'push',
        value: round(value),
        unit: 'ms p99',
        peer: round(peer),
        ratio: round(value / peer),
        goal: `≤ ${goalMs} ms and ≤ ${goalRatio} × bare SSE`,
        met: value <= goalMs && value / peer <= goalRatio,
        conditions: `${guardCount} guards, ${events} revocations, p50 ${round(percentile(ourTimes, 0.5))} ms (bare ${round(percentile(bareTimes, 0.5))} ms), readers in processes of their own, heartbeats running`,
      },
    ];
  } finally {
    for (const each of [bare, bareReaders, guardReaders]) if (each.connected) each.disconnect();
  }
}

/** Guards of one server, enrolled in the database, each with the signed request that opens its feed. */
export async function guardTargets(
  ctx: Ctx,
  gate: { url: string; host: string },
  serverId: string,
  guardCount: number,
): Promise<{ url: string; headers: Record<string, string> }[]> {
  const keys = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const encryption = await generateKeyPair('ECDH-ES', { crv: 'X25519', extractable: true });
  const signingKey = await exportJWK(keys.publicKey);
  const encryptionKey = await exportJWK(encryption.publicKey);
  const now = ctx.clock.now();
  const guards = Array.from({ length: guardCount }, (_, index) => ({
    id: newId('guard'),
    name: `bench ${serverId} ${index}`,
    thumbprint: randomUUID(),
  }));
  await ctx.db.prisma.guard.createMany({
    data: guards.map((guard) => ({
      ...guard,
      signingKey: signingKey as object,
      encryptionKey: encryptionKey as object,
      serverIds: [serverId],
      version: 'bench',
      enrolledAt: now,
    })),
  });
  const iat = Math.floor(now.getTime() / 1000);
  return Promise.all(
    guards.map(async ({ id }) => {
      const query = `${guardPaths.feed}?nonce=${randomUUID().replaceAll('-', '')}&from=`;
      const auth = await new SignJWT({ req: `GET ${query}`, bod: sha256(''), jti: randomUUID() })
        .setProtectedHeader({ alg: 'EdDSA', typ: messageTypes.auth, kid: id })
        .setIssuer(id)
        .setAudience(ctx.site.issuer)
        .setIssuedAt(iat)
        .setExpirationTime(iat + 60)
        .sign(keys.privateKey);
      return { url: gate.url + query, headers: { host: gate.host, authorization: `Guard ${auth}` } };
    }),
  );
}

const nowMs = () => performance.timeOrigin + performance.now();

async function child(file: string, environment: Record<string, string>): Promise<ChildProcess> {
  return fork(path.join(import.meta.dirname, file), { env: { ...process.env, ...environment } });
}

function message<T>(from: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`a bench process ended with ${code}`));
    from.once('exit', onExit);
    from.once('message', (value) => {
      from.off('exit', onExit);
      resolve(value as T);
    });
  });
}

/**
 * When the last reader of the next broadcast has it. What all had before is passed over: a snapshot that every guard is
 * opened with is a broadcast too, and would be taken for the one before, and each after it for the next.
 */
async function lastReader(from: ChildProcess, sinceMs: number): Promise<number> {
  for (;;) {
    const { lastAtMs } = await message<{ lastAtMs: number }>(from);
    if (lastAtMs >= sinceMs) return lastAtMs;
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
