import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGuard, startGuard } from '#guard/guard.ts';
import { answerOk, RecordingUpstream } from '#guard/testing/upstreams.ts';
import { ensureSigningKeys, killSigningKey } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { inviteGuard, mintCatalogueToken } from '#lib/revocation/guards.ts';
import { revokeAgent, stopAgentInput, suspendAgent } from '#lib/revocation/stop-agent.ts';
import { ctxOf } from '../gate/context.ts';
import { type ApprovedAgent, createApprovedAgent, createServer } from './credentials-world.ts';
import { startTestGate, type TestGate } from './gate.ts';
import { type TokenBody, tokenClient } from './token-client.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'guard-and-gate-'));
const upstream = new RecordingUpstream();
const agents: ApprovedAgent[] = [];
let gate: TestGate;
let guard: RunningGuard;

const ctx = () => ctxOf(gate.running.gate, { actor: systemActor('test') });
const nextAgent = () => agents.pop() as ApprovedAgent;

beforeAll(async () => {
  gate = await startTestGate(4175);
  await gate.database.db.prisma.installation.create({
    data: { id: 1, issuer: gate.issuer, createdAt: new Date() },
  });
  await ensureSigningKeys(ctx());
  const server = await createServer(ctx(), [
    { name: 'read_note' },
    { name: 'delete_note', class: 'destructive', risk: 'high' },
  ]);
  await gate.database.db.prisma.mcpServer.update({
    where: { id: server.serverId },
    data: { upstreamUrl: await upstream.start() },
  });
  for (let index = 0; index < 8; index++)
    agents.push(await createApprovedAgent(ctx(), { authMethod: 'private_key_jwt', server }));
  const { joinToken } = await inviteGuard(ctx(), { name: 'one', serverIds: [server.serverId] });
  guard = await startGuard({ stateDir: path.join(folder, 'guard'), joinToken });
  await guard.ready();
});
afterAll(async () => {
  await guard?.stop();
  await upstream.close();
  await gate?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function tokenOf(agent: ApprovedAgent): Promise<string> {
  const answer = await tokenClient(gate).credentials(agent, { resource: agent.resource });
  if (answer.status !== 200) throw new Error(answer.text);
  return (answer.json() as TokenBody).access_token;
}

function call(agent: ApprovedAgent, token: string, tool = 'read_note'): Promise<Response> {
  return fetch(agent.resource, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: tool, arguments: {} },
    }),
  });
}

describe('a guard fed by the gate', () => {
  test('lets an approved agent through with the token the gate minted', async () => {
    const agent = nextAgent();
    const answer = await call(agent, await tokenOf(agent));
    expect(answer.headers.get('www-authenticate')).toBeNull();
    expect(await answer.json()).toMatchObject({ result: { content: [] } });
    expect(upstream.seen.at(-1)?.headers.authorization).toBeUndefined();
  });

  test.each([
    ['suspended', suspendAgent],
    ['revoked', revokeAgent],
  ])('refuses an agent at once when it is %s, and the receipt says when', async (_, stop) => {
    const agent = nextAgent();
    const token = await tokenOf(agent);
    expect((await call(agent, token)).status).toBe(200);
    const { revocationId } = await stop(ctx(), stopAgentInput.parse({ agentId: agent.agentId }));
    await expect.poll(async () => (await call(agent, token)).status, { interval: 2 }).toBe(401);
    const { prisma } = gate.database.db;
    const ack = () => prisma.revocationAck.findFirst({ where: { revocationId } });
    await expect.poll(async () => (await ack())?.firstRefusedAt, { timeout: 15_000 }).toBeTruthy();
    const told = await ack();
    expect(told?.acknowledgedAt).toBeTruthy();
    expect(told?.lastAcceptedAt).toBeTruthy();
  });

  test('keeps its lease over many heartbeats and changes', async () => {
    const lost: number[] = [];
    guard.feed.on('lease', (live) => {
      if (!live) lost.push(Date.now());
    });
    const refused: string[] = [];
    guard.feed.on('refused', (detail) => refused.push(detail));
    await revokeAgent(ctx(), stopAgentInput.parse({ agentId: nextAgent().agentId }));
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect({ lost, refused }).toEqual({ lost: [], refused: [] });
    expect(guard.feed.lease.live()).toBe(true);
  });

  test('testifies: the calls it saw are kept by the gate', async () => {
    const agent = nextAgent();
    const token = await tokenOf(agent);
    await call(agent, token, 'no_such_tool');
    const { prisma } = gate.database.db;
    await expect
      .poll(() => prisma.auditEvent.count({ where: { kind: 'guard.call', tool: 'no_such_tool' } }), {
        timeout: 8_000,
      })
      .toBe(1);
  });

  test('forgets at once what a killed key signed, and believes its successor', async () => {
    const agent = nextAgent();
    const token = await tokenOf(agent);
    expect((await call(agent, token)).status).toBe(200);
    const [header = ''] = token.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString());
    await killSigningKey(ctx(), { kid, reason: 'test' });
    await expect.poll(async () => (await call(agent, token)).status, { interval: 2 }).toBe(401);
    expect((await call(agent, await tokenOf(agent))).status).toBe(200);
    expect(guard.feed.lease.live()).toBe(true);
  });

  test('reads lists for the catalogue with the token the gate signs for itself', async () => {
    const agent = nextAgent();
    upstream.answer = (request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          jsonrpc: '2.0',
          id: JSON.parse(request.body).id,
          result: { tools: [{ name: 'anything' }] },
        }),
      );
    const answer = await fetch(agent.resource, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await mintCatalogueToken(ctx(), agent.resource)}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    expect(await answer.json()).toMatchObject({ result: { tools: [{ name: 'anything' }] } });
    upstream.answer = answerOk;
  });
});
