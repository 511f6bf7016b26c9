import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { buildRequestsWorld, newJwks, purpose, type RequestsWorld } from '#tests/requests-world.ts';
import { ctxOf } from '../context.ts';

type Body = Record<string, unknown>;

let gate: TestGate;
let world: RequestsWorld;
const tokens: Record<string, string> = {};

beforeAll(async () => {
  gate = await startTestGate(4612);
  world = await buildRequestsWorld(gate.database.db);
  for (const name of ['olive', 'oscar', 'ava', 'abel', 'audrey', 'adam'] as const) {
    const ctx = ctxOf(gate.running.gate, { actor: { ...world[name], elevatedAt: new Date() } });
    tokens[name] = (await createApiToken(ctx, { name: 'Test', days: 1 })).token;
  }
});
afterAll(() => gate.close());

async function call(
  who: string,
  method: string,
  path: string,
  body?: Body,
  headers: Record<string, string> = {},
) {
  const answer = await gate.ask(`/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${tokens[who]}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: answer.status, headers: answer.headers, body: answer.text ? (answer.json() as Body) : {} };
}

const content = (tools = ['list_notes', 'read_note']) => ({
  kind: 'new',
  agentName: 'Notes keeper',
  purpose,
  lifetimeSeconds: 28_800,
  tools: tools.map((name) => ({ serverId: world.serverId, name })),
});

async function filed(more: Body = {}, tools?: string[]) {
  const jwks = await newJwks();
  const answer = await call('olive', 'POST', '/requests', {
    ...content(tools),
    client: { kind: 'key', jwks },
    submit: true,
    ...more,
  });
  expect(answer.status).toBe(201);
  return answer.body as Body & { id: string; agentId: string };
}

describe('the life of a request over REST', () => {
  test('draft, edit, submit, review, approve narrowed, read the agent', async () => {
    const draft = await filed({ submit: false });
    expect(draft).toMatchObject({ state: 'draft', can: { submit: true } });
    const edited = await call('olive', 'PATCH', `/requests/${draft.id}`, { lifetimeSeconds: 7200 });
    expect(edited.body).toMatchObject({ revision: 2, lifetimeSeconds: 7200 });
    const sent = await call('olive', 'POST', `/requests/${draft.id}/submit`, {});
    expect(sent.body).toMatchObject({ state: 'submitted', number: draft.number });

    const queue = await call('ava', 'GET', '/review');
    expect((queue.body.items as Body[]).map((row) => row.id)).toContain(draft.id);
    const review = await call('ava', 'GET', `/requests/${draft.id}/review`);
    expect(review.status).toBe(200);
    expect(review.body).toMatchObject({
      snapshotDigest: sent.body.snapshotDigest,
      cannotDecide: null,
      verdict: { outcome: 'needs_review' },
    });
    expect(review.body.summary).toContain('olive wants Notes keeper to use 2 tools');
    const lines = review.body.toolLines as Body[];
    expect(lines.map((line) => line.name).sort()).toEqual(['list_notes', 'read_note']);

    const approved = await call('ava', 'POST', `/requests/${draft.id}/approve`, {
      snapshotDigest: review.body.snapshotDigest,
      toolLines: lines.slice(0, 1),
      lifetimeSeconds: 3600,
      comment: 'One is enough',
    });
    expect(approved.status).toBe(200);
    expect(approved.body).toMatchObject({ state: 'approved', narrowed: true, agentId: draft.agentId });

    const read = await call('olive', 'GET', `/requests/${draft.id}`);
    expect(read.body).toMatchObject({
      state: 'approved',
      grantedLifetimeSeconds: 3600,
      decision: { verdict: 'approve narrowed', reason: 'One is enough' },
    });
    expect((read.body.tools as Body[]).filter((tool) => tool.granted)).toHaveLength(1);
    const agent = await call('olive', 'GET', `/agents/${draft.agentId}`);
    expect(agent.body).toMatchObject({
      state: 'active',
      toolCount: 1,
      bindings: [{ state: 'active', version: 1 }],
    });
    const listed = await call('audrey', 'GET', '/agents?state=active');
    expect((listed.body.items as Body[]).map((row) => row.id)).toContain(draft.agentId);
  });

  test('tells a missing digest (428), a stale one (412) and a decided request (409) apart', async () => {
    const request = await filed();
    const approve = (who: string, snapshotDigest?: unknown) =>
      call(who, 'POST', `/requests/${request.id}/approve`, snapshotDigest ? { snapshotDigest } : {});
    expect((await approve('ava')).status).toBe(428);
    await call('olive', 'PATCH', `/requests/${request.id}`, { lifetimeSeconds: 600 });
    const stale = await approve('ava', request.snapshotDigest);
    expect(stale.status).toBe(412);
    expect(stale.body).toMatchObject({ type: 'urn:countersign:problem:precondition_failed', revision: 2 });
    const fresh = (await call('ava', 'GET', `/requests/${request.id}/review`)).body.snapshotDigest;
    expect((await approve('ava', fresh)).status).toBe(200);
    expect((await approve('abel', fresh)).status).toBe(409);
  });

  test('reject, request changes and withdraw say what became of it', async () => {
    const one = await filed();
    expect((await call('ava', 'POST', `/requests/${one.id}/reject`, {})).status).toBe(422);
    expect((await call('ava', 'POST', `/requests/${one.id}/reject`, { reason: 'No need' })).body.state).toBe(
      'rejected',
    );
    const two = await filed();
    const back = await call('ava', 'POST', `/requests/${two.id}/request-changes`, { reason: 'Fewer tools' });
    expect(back.body.state).toBe('changes requested');
    expect((await call('olive', 'POST', `/requests/${two.id}/submit`, {})).status).toBe(409);
    const gone = await call('olive', 'POST', `/requests/${two.id}/withdraw`, {});
    expect(gone.body).toMatchObject({ state: 'withdrawn', agentState: 'expired' });
  });

  test('a repeated call with one key files one request', async () => {
    const body = { ...content(), client: { kind: 'carried' }, submit: true };
    const headers = { 'idempotency-key': 'once-1' };
    const first = await call('olive', 'POST', '/requests', body, headers);
    const second = await call('olive', 'POST', '/requests', body, headers);
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.body.id).toBe(first.body.id);
  });

  test('what a caller must not say is refused by name', async () => {
    for (const extra of [
      { state: 'approved' },
      { ownerId: 'per_1' },
      { requiredApprovals: 0 },
      { approvedBy: 'x' },
    ]) {
      const answer = await call('olive', 'POST', '/requests', {
        ...content(),
        client: { kind: 'carried' },
        ...extra,
      });
      expect(answer.status).toBe(422);
    }
    const request = await filed();
    const answer = await call('olive', 'PATCH', `/requests/${request.id}`, { state: 'approved' });
    expect(answer.status).toBe(422);
    expect((await call('olive', 'GET', `/requests/${request.id}`)).body.state).toBe('submitted');
  });
});

describe('who sees and does what', () => {
  test('somebody else’s request is not there, for reading and for every change (T25)', async () => {
    const request = await filed();
    const digest = request.snapshotDigest;
    const tries: [string, string, Body | undefined][] = [
      ['GET', '', undefined],
      ['PATCH', '', { lifetimeSeconds: 60 }],
      ['POST', '/submit', {}],
      ['POST', '/withdraw', {}],
      ['POST', '/comments', { text: 'Hello' }],
    ];
    for (const [method, path, body] of tries) {
      const foreign = await call('oscar', method, `/requests/${request.id}${path}`, body);
      const absent = await call('oscar', method, `/requests/req_0000${path}`, body);
      expect([path, foreign.status]).toEqual([path, 404]);
      expect({ ...foreign.body, requestId: '' }).toEqual({ ...absent.body, requestId: '' });
    }
    expect((await call('oscar', 'GET', `/requests/${request.id}/review`)).status).toBe(403);
    expect((await call('oscar', 'GET', `/agents/${request.agentId}`)).status).toBe(404);
    const list = await call('oscar', 'GET', '/requests?scope=all');
    expect((list.body.items as Body[]).map((row) => row.id)).not.toContain(request.id);
    expect(list.body.counts).toEqual({});
    expect(
      (await call('olive', 'POST', `/requests/${request.id}/approve`, { snapshotDigest: digest })).status,
    ).toBe(403);
    expect((await call('audrey', 'GET', `/requests/${request.id}/review`)).status).toBe(200);
    expect(
      (await call('audrey', 'POST', `/requests/${request.id}/approve`, { snapshotDigest: digest })).status,
    ).toBe(403);
  });

  test('every refusal of a known caller is in history, once', async () => {
    const request = await filed();
    await call('olive', 'POST', `/requests/${request.id}/approve`, {
      snapshotDigest: request.snapshotDigest,
    });
    const refusals = await gate.database.db.prisma.auditEvent.findMany({
      where: { kind: 'refusal.authenticated', actorId: world.olive.personId },
      orderBy: { id: 'desc' },
      take: 1,
    });
    expect(refusals[0]?.outcome).toBe('refused');
    expect(JSON.stringify(refusals[0]?.data)).toContain('approveRequest');
  });

  test('an API token approves low risk only, and says where the rest is decided', async () => {
    const request = await filed({}, ['write_note']);
    const answer = await call('ava', 'POST', `/requests/${request.id}/approve`, {
      snapshotDigest: request.snapshotDigest,
    });
    expect(answer.status).toBe(403);
    expect(answer.body.detail).toContain('decide it in the browser');
  });

  test('lists page without gaps or repeats, and search takes its wildcards literally', async () => {
    for (let index = 0; index < 3; index++) await filed({ submit: false });
    const seen: unknown[] = [];
    let cursor: unknown = null;
    do {
      const page: Body = (await call('olive', 'GET', `/requests?limit=2${cursor ? `&cursor=${cursor}` : ''}`))
        .body;
      seen.push(...(page.items as Body[]).map((row) => row.id));
      cursor = page.nextCursor;
    } while (cursor);
    expect(new Set(seen).size).toBe(seen.length);
    const total = await gate.database.db.prisma.registrationRequest.count({
      where: { ownerId: world.olive.personId },
    });
    expect(seen).toHaveLength(total);
    expect((await call('olive', 'GET', '/requests?q=%25')).body.items).toEqual([]);
    expect((await call('olive', 'GET', '/requests?limit=1000000000')).status).toBe(422);
    expect((await call('olive', 'GET', '/requests?state=nonsense')).status).toBe(422);
  });
});
