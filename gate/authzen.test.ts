import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createResourceToken } from '#lib/credentials/resource-tokens.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { type ApprovedAgent, createApprovedAgent } from '#tests/credentials-world.ts';
import { personActor } from '#tests/ctx.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { ctxOf } from './context.ts';

let gate: TestGate;
let agent: ApprovedAgent;
let token: string;

const system = () => ctxOf(gate.running.gate, { actor: systemActor('test') });

beforeAll(async () => {
  gate = await startTestGate(4702);
  await ensureSigningKeys(system());
  agent = await createApprovedAgent(system(), {
    tools: [{ name: 'read_note' }, { name: 'wipe', class: 'destructive', risk: 'high' }],
    attended: false,
  });
  const admin = ctxOf(gate.running.gate, { actor: personActor('per_admin', ['admin']) });
  token = (await createResourceToken(admin, { serverId: agent.serverId, name: 'test', lifetimeDays: 1 }))
    .token;
});
afterAll(() => gate.close());

function ask(path: string, body: unknown, headers: Record<string, string> = {}) {
  return gate.ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

const question = (tool: string, more: object = {}) => ({
  subject: { type: 'identity', id: agent.ownerId },
  action: { name: 'tools/call' },
  resource: { type: 'tool', id: tool },
  context: { agent: agent.clientId },
  ...more,
});

describe('AuthZEN evaluation', () => {
  test('is announced where the specification looks for it', async () => {
    expect((await gate.ask('/.well-known/authzen-configuration')).json()).toEqual({
      policy_decision_point: gate.issuer,
      access_evaluation_endpoint: `${gate.issuer}/access/v1/evaluation`,
      access_evaluations_endpoint: `${gate.issuer}/access/v1/evaluations`,
    });
    expect((await gate.ask('/.well-known/ssf-configuration')).status).toBe(404);
  });

  test('permits an approved tool, by agent or by identity, and echoes the request id', async () => {
    const answer = await ask('/access/v1/evaluation', question('read_note'), { 'x-request-id': 'r-1' });
    expect([answer.status, answer.headers['x-request-id'], answer.json().decision]).toEqual([
      200,
      'r-1',
      true,
    ]);
    const byAgent = await ask(
      '/access/v1/evaluation',
      question('read_note', { subject: { type: 'agent', id: agent.agentId } }),
    );
    expect(byAgent.json().decision).toBe(true);
  });

  test('denies what is not approved, what policy forbids, and what nobody understands, and says why', async () => {
    const cases: [object, string][] = [
      [question('other'), 'not_approved'],
      [question('Read_note'), 'not_approved'],
      [question('read_note '), 'not_approved'],
      [question('wipe'), 'destructive-tools-attended'],
      [question('read_note', { action: { name: 'resources/read' } }), 'method_unknown'],
      [question('read_note', { resource: { type: 'prompt', id: 'read_note' } }), 'method_unknown'],
      [question('read_note', { subject: { type: 'identity', id: 'per_nobody' } }), 'agent_unknown'],
      [question('read_note', { context: {} }), 'agent_unknown'],
      [question('read_note', { context: { agent: agent.clientId, token_id: 'crd_nobody' } }), 'token_ended'],
    ];
    for (const [body, code] of cases) {
      const answer = await ask('/access/v1/evaluation', body);
      expect([body, answer.status, answer.json().decision]).toEqual([body, 200, false]);
      const context = answer.json().context as {
        reason_admin: { code: string };
        reason_user: { en: string };
      };
      expect(context.reason_admin.code.replaceAll('_', '-')).toBe(code.replaceAll('_', '-'));
      expect(context.reason_user.en).toMatch(/\.$/);
    }
    const denials = await gate.database.db.prisma.auditEvent.count({ where: { kind: 'decision.deny' } });
    expect(denials).toBe(cases.length);
  });

  test('a stopped agent is denied from that moment', async () => {
    const other = await createApprovedAgent(system(), {
      server: { serverId: agent.serverId, resource: agent.resource, tools: ['read_note'] },
    });
    const body = { ...question('read_note'), subject: { type: 'agent', id: other.agentId }, context: {} };
    expect((await ask('/access/v1/evaluation', body)).json().decision).toBe(true);
    await gate.database.db.hot.query(
      "UPDATE agent SET state = 'suspended', epoch = epoch + 1 WHERE id = $1",
      [other.agentId],
    );
    expect((await ask('/access/v1/evaluation', body)).json().decision).toBe(false);
  });

  test('answers many at once, by the semantics asked for', async () => {
    const evaluations = ['read_note', 'other', 'read_note'].map((id) => ({ resource: { type: 'tool', id } }));
    const { resource: _resource, ...defaults } = question('x');
    const run = async (semantic?: string) =>
      (
        (
          await ask('/access/v1/evaluations', {
            ...defaults,
            evaluations,
            ...(semantic ? { options: { evaluations_semantic: semantic } } : {}),
          })
        ).json().evaluations as { decision: boolean }[]
      ).map((each) => each.decision);
    expect(await run()).toEqual([true, false, true]);
    expect(await run('deny_on_first_deny')).toEqual([true, false]);
    expect(await run('permit_on_first_permit')).toEqual([true]);
    expect((await ask('/access/v1/evaluations', question('read_note'))).json().decision).toBe(true);
  });

  test('refuses callers it does not know, servers that are not theirs, and malformed questions', async () => {
    const foreign = await createApprovedAgent(system());
    const cases: [unknown, Record<string, string>, number][] = [
      [question('read_note'), { authorization: '' }, 401],
      [question('read_note'), { authorization: 'Bearer crt_wrong' }, 401],
      [
        question('read_note', {
          resource: { type: 'tool', id: 'x', properties: { server: foreign.resource } },
        }),
        {},
        403,
      ],
      [{ subject: {}, action: {}, resource: {} }, {}, 400],
      ['{"subject":', {}, 400],
      ['{"a":1,"a":2}', {}, 400],
      [question('read_note'), { 'content-type': 'text/plain' }, 400],
      ['x'.repeat(200_000), {}, 413],
    ];
    for (const [body, headers, status] of cases) {
      expect([
        JSON.stringify(body).slice(0, 80),
        (await ask('/access/v1/evaluation', body, headers)).status,
      ]).toEqual([JSON.stringify(body).slice(0, 80), status]);
    }
  });
});
