import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { newId } from '#lib/platform/ids.ts';
import { inviteGuard } from '#lib/revocation/guards.ts';
import { revokeAgent, stopAgentInput } from '#lib/revocation/stop-agent.ts';
import { freeLoopbackPort } from '#server/postgres/cluster.ts';
import { addTool, createApprovedAgent } from '#tests/credentials-world.ts';
import { guardTargets } from './push.ts';
import { type BenchRow, round } from './row.ts';
import { sides } from './sides.ts';
import { makeOurTokens } from './tokens.ts';

const guardCount = 50;
const revocations = 60;
const warmUps = 5;

/**
 * `revoke-to-refused`: from the commit of a revocation to the first refused answer at the guard, for a client that
 * calls without a pause. Guard, server and the other forty-nine guards run in processes of their own.
 */
export async function run(): Promise<BenchRow[]> {
  const { ours } = await sides();
  const { ctx } = ours;
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-guard-'));
  const children: ChildProcess[] = [];
  const start = (file: string, options: object) => {
    const child = fork(path.join(import.meta.dirname, file));
    children.push(child);
    child.send(options);
    return new Promise<{ port?: number }>((resolve, reject) => {
      child.once('message', (told) => resolve(told as { port?: number }));
      child.once('exit', () => reject(new Error('a part of the measurement ended')));
    });
  };
  try {
    const upstream = await start('guard-proxy-part.ts', { role: 'upstream' });
    const serverId = newId('server');
    const resource = `http://127.0.0.1:${await freeLoopbackPort()}/mcp`;
    await ctx.db.prisma.mcpServer.create({
      data: {
        id: serverId,
        resource,
        name: 'Revoked at',
        upstreamUrl: `http://127.0.0.1:${upstream.port}/mcp`,
        createdAt: ctx.clock.now(),
      },
    });
    await ctx.db.prisma.feedHead.create({ data: { serverId } });
    await addTool(ctx, serverId, { name: 'read_note' });
    const agents: { agentId: string; token: string }[] = [];
    for (let index = 0; index < warmUps + revocations; index++) {
      const agent = await createApprovedAgent(ctx, {
        authMethod: 'private_key_jwt',
        server: { serverId, resource, tools: ['read_note'] },
      });
      const [token = ''] = await makeOurTokens(ctx, agent, 1);
      agents.push({ agentId: agent.agentId, token });
    }
    const { joinToken } = await inviteGuard(ctx, { name: 'measured', serverIds: [serverId] });
    await start('guard-proxy-part.ts', { role: 'guard', stateDir: folder, joinToken });
    await start('feed-readers.ts', { targets: await guardTargets(ctx, ours, serverId, guardCount - 1) });

    const times: number[] = [];
    for (const [index, { agentId, token }] of agents.entries()) {
      const elapsedMs = await untilRefused(resource, token, () =>
        revokeAgent(ctx, stopAgentInput.parse({ agentId })),
      );
      if (index >= warmUps) times.push(elapsedMs);
    }
    const conditions = `${guardCount} guards connected, ${revocations} revocations, loopback, one caller without pause`;
    return (['p50', 'p99'] as const).map((which) => {
      const value = percentile(times, which === 'p50' ? 0.5 : 0.99);
      const goalMs = which === 'p50' ? 10 : 75;
      return {
        row: 'revoke-to-refused',
        value: round(value),
        unit: `ms ${which}`,
        peer: null,
        ratio: null,
        goal: `≤ ${goalMs} ms`,
        met: value <= goalMs,
        conditions,
      };
    });
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Calls until a call is refused, revoking after the tenth. Returns milliseconds from the commit to that refusal. */
async function untilRefused(url: string, token: string, revoke: () => Promise<unknown>): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let committedAtMs: number | null = null;
  let revoking: Promise<unknown> | null = null;
  for (let calls = 0; ; calls++) {
    if (calls === 10) {
      revoking = revoke().then(() => {
        committedAtMs = performance.now();
      });
    }
    const status = await call(url, token, agent);
    if (status === 200) continue;
    if (status !== 401) throw new Error(`the guard answered ${status}`);
    const refusedAtMs = performance.now();
    await revoking;
    agent.destroy();
    // A guard may refuse before the answer to the commit has travelled back to us.
    return Math.max(0, refusedAtMs - (committedAtMs ?? refusedAtMs));
  }
}

function call(url: string, token: string, agent: http.Agent): Promise<number> {
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'read_note', arguments: {} },
  });
  return new Promise((resolve, reject) => {
    const request = http.request(
      url,
      {
        agent,
        method: 'POST',
        headers: {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'content-length': String(Buffer.byteLength(body)),
        },
      },
      (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
