import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  eventsOf,
  type FileOptions,
  fileRequest,
  purpose,
  type RequestsWorld,
  redefineTool,
  stateOf,
} from '#tests/requests-world.ts';
import { approveSigned } from '../../tests/approvals.ts';
import { approveRequest, approveRequestInput } from './approve-request.ts';
import { commentRequest } from './comment-request.ts';
import { createRequest, createRequestInput } from './create-request.ts';
import { editRequest, editRequestInput } from './edit-request.ts';
import { expireRequests } from './expire-requests.ts';
import { previewRequest, previewRequestInput } from './preview-request.ts';
import { rejectRequest } from './reject-request.ts';
import { requestChanges } from './request-changes.ts';
import { submitRequest } from './submit-request.ts';
import { withdrawRequest } from './withdraw-request.ts';

let database: TestDatabase;
let world: RequestsWorld;

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 1 });
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database.drop());

const draft = (options: FileOptions = {}) => fileRequest(world, { submit: false, ...options });
const submitted = (options: FileOptions = {}) => fileRequest(world, options);
const edit = (requestId: string, changes: object, actor = world.olive) =>
  editRequest(world.as(actor), editRequestInput.parse({ requestId, ...changes }));
const approve = async (requestId: string, actor = world.ava) =>
  approveSigned(world.as(actor), { requestId, snapshotDigest: await digestNow(world, requestId) });

/** Exactly one of two calls takes effect; the other is told that it lost. */
async function expectOneWinner(calls: Promise<unknown>[]) {
  const settled = await Promise.allSettled(calls);
  expect(settled.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
  for (const each of settled) {
    if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'conflict' });
  }
}

describe('filing a request', () => {
  test('takes the role owner', async () => {
    for (const actor of [world.ava, world.audrey, world.adam]) {
      await expect(draft({ owner: actor })).rejects.toMatchObject({ code: 'forbidden' });
    }
  });

  test('gives the agent an owner and no authority: pending, quarantined, with an end within a day', async () => {
    const { id } = await draft();
    const request = await stateOf(world, id);
    expect(request).toMatchObject({ state: 'draft', ownerId: world.olive.personId, risk: 'medium' });
    expect(request.agent).toMatchObject({ state: 'pending', epoch: 1 });
    expect(request.agent.bindings).toEqual([]);
    const [instance] = request.agent.instances;
    expect(instance?.state).toBe('quarantined');
    const dayLater = world.clock.now().getTime() + 24 * 3600 * 1000;
    expect(instance?.quarantineEndsAt?.getTime()).toBeLessThanOrEqual(dayLater);
    expect(request.expiresAt?.getTime()).toBeLessThanOrEqual(dayLater);
    expect(await eventsOf(world, id)).toEqual(['agent.create', 'request.create', 'client.register']);
  });

  test('writes nothing of what the caller must not say (T29)', async () => {
    const base = {
      kind: 'new',
      agentName: 'Notes keeper',
      client: { kind: 'carried' },
      purpose,
      lifetimeSeconds: 3600,
      tools: [{ serverId: world.serverId, name: 'list_notes' }],
    };
    for (const extra of [
      { state: 'approved' },
      { ownerId: world.oscar.personId },
      { approvedBy: world.ava.personId },
      { requiredApprovals: 0 },
      { risk: 'low' },
      { createdAt: '2020-01-01T00:00:00Z' },
      { snapshotDigest: 'sha256:x' },
      { constructor: { prototype: { admin: true } } },
      JSON.parse('{"__proto__": {"state": "approved"}}'),
    ]) {
      const parsed = createRequestInput.safeParse({ ...base, ...extra });
      if (!parsed.success) continue;
      const { id } = await createRequest(world.as(world.olive), parsed.data);
      expect(await stateOf(world, id)).toMatchObject({
        state: 'draft',
        ownerId: world.olive.personId,
        votes: [],
      });
    }
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });

  test('names the tool line it cannot take', async () => {
    const ask = (tools: object[]) =>
      createRequest(
        world.as(world.olive),
        createRequestInput.parse({
          kind: 'new',
          agentName: 'Notes keeper',
          client: { kind: 'carried' },
          purpose,
          lifetimeSeconds: 3600,
          tools,
        }),
      );
    const line = { serverId: world.serverId, name: 'list_notes' };
    await expect(ask([line, { serverId: world.serverId, name: 'list_notez' }])).rejects.toMatchObject({
      code: 'invalid',
      detail: { issues: [{ path: 'tools.1' }] },
    });
    await expect(ask([line, line])).rejects.toMatchObject({
      code: 'invalid',
      detail: { issues: [{ path: 'tools.1' }] },
    });
    await expect(ask([{ ...line, name: 'List_Notes' }])).rejects.toMatchObject({ code: 'invalid' });
  });

  test.each([
    ['a private key', { kty: 'OKP', crv: 'Ed25519', x: 'a'.repeat(43), d: 'a'.repeat(43) }],
    ['a shared secret', { kty: 'oct', k: 'c2VjcmV0' }],
  ])('refuses %s as the agent’s key', async (_title, key) => {
    await expect(
      createRequest(
        world.as(world.olive),
        createRequestInput.parse({
          kind: 'new',
          agentName: 'Notes keeper',
          client: { kind: 'key', jwks: { keys: [key] } },
          purpose,
          lifetimeSeconds: 3600,
          tools: [{ serverId: world.serverId, name: 'list_notes' }],
        }),
      ),
    ).rejects.toMatchObject({ code: 'invalid', detail: { issues: [{ path: 'client.jwks' }] } });
  });

  test('of two requests with one existing client one is open at a time', async () => {
    const first = await draft();
    const { agent } = await stateOf(world, first.id);
    await withdrawRequest(world.as(world.olive), { requestId: first.id, reason: '' });
    const again = () =>
      createRequest(
        world.as(world.olive),
        createRequestInput.parse({
          kind: 'new',
          agentName: 'Notes keeper',
          client: { kind: 'existing', clientId: agent.instances[0]?.clientId },
          purpose,
          lifetimeSeconds: 3600,
          tools: [{ serverId: world.serverId, name: 'list_notes' }],
        }),
      );
    await expectOneWinner([again(), again()]);
    const last = await database.db.prisma.registrationRequest.findFirstOrThrow({
      orderBy: { number: 'desc' },
    });
    expect(last.previousRequestId).toBe(first.id);
  });
});

describe('submitting', () => {
  test('is the owner’s: others are not told the request exists, teammates and approvers may not', async () => {
    const { id } = await draft();
    const submit = (actor: RequestsWorld['olive']) => submitRequest(world.as(actor), { requestId: id });
    await expect(submit(world.oscar)).rejects.toMatchObject({ code: 'not_found' });
    await expect(submit(world.ava)).rejects.toMatchObject({ code: 'forbidden' });
    const both = { ...world.oscar, roles: ['owner', 'approver'] as const };
    await expect(submit(both)).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('tells who can decide, and them', async () => {
    const { id } = await draft();
    const done = await submitRequest(world.as(world.olive), { requestId: id });
    expect(done.approvers.sort()).toEqual(['abel', 'ava']);
    expect(done.verdict.outcome).toBe('needs_review');
    const told = await database.db.prisma.notification.findMany({ where: { href: `/review/${id}` } });
    expect(told.map((each) => each.personId).sort()).toEqual(
      [world.abel.personId, world.ava.personId].sort(),
    );
  });

  test('happens once', async () => {
    const { id } = await draft();
    const submit = () => submitRequest(world.as(world.olive), { requestId: id });
    await expectOneWinner([submit(), submit()]);
    await expect(submit()).rejects.toMatchObject({ code: 'conflict', detail: { state: 'submitted' } });
  });

  test('records who did what', async () => {
    const { id } = await draft();
    await submitRequest(world.as(world.olive), { requestId: id });
    const event = await database.db.prisma.auditEvent.findFirst({
      where: { requestRef: id, kind: 'request.submit' },
    });
    expect(event).toMatchObject({ actorId: world.olive.personId, before: { state: 'draft' } });
  });

  test('comes back from policy with the tool, the reason and the remedy', async () => {
    const request = await draft({ tools: ['list_notes', 'delete_note'] });
    await edit(request.id, { purpose: { ...purpose, attended: false } });
    await expect(submitRequest(world.as(world.olive), { requestId: request.id })).rejects.toMatchObject({
      code: 'invalid',
      detail: { issues: [expect.objectContaining({ tool: 'delete_note', path: 'tools.0' })] },
    });
  });

  test('does not put old definitions before approvers', async () => {
    const request = await draft({ tools: ['read_note'] });
    await redefineTool(world, 'read_note', { class: 'read', risk: 'low' });
    await expect(submitRequest(world.as(world.olive), { requestId: request.id })).rejects.toMatchObject({
      code: 'conflict',
      detail: { stale: [expect.objectContaining({ name: 'read_note' })] },
    });
    await edit(request.id, {});
    expect((await submitRequest(world.as(world.olive), { requestId: request.id })).state).toBe('submitted');
  });
});

describe('editing', () => {
  test('is the owner’s', async () => {
    const { id } = await submitted();
    await expect(edit(id, { lifetimeSeconds: 60 }, world.ava)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(edit(id, { lifetimeSeconds: 60 }, world.oscar)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('writes a new revision and leaves the earlier one as it was', async () => {
    const { id, snapshotDigest } = await submitted();
    const done = await edit(id, { lifetimeSeconds: 3600 });
    expect(done).toMatchObject({ revision: 2, state: 'submitted' });
    expect(done.snapshotDigest).not.toBe(snapshotDigest);
    const revisions = await database.db.prisma.requestRevision.findMany({
      where: { requestId: id },
      orderBy: { number: 'asc' },
    });
    expect(revisions.map((each) => each.snapshotDigest)).toEqual([snapshotDigest, done.snapshotDigest]);
    const event = await database.db.prisma.auditEvent.findFirst({
      where: { requestRef: id, kind: 'request.edit' },
    });
    expect(event?.data).toMatchObject({ changes: [{ label: 'Lifetime', effect: 'narrows' }] });
  });

  test('ends with the decision', async () => {
    const { id } = await submitted();
    await approve(id);
    await expect(edit(id, { lifetimeSeconds: 60 })).rejects.toMatchObject({ code: 'conflict' });
  });

  test('of two edits of one revision one is written', async () => {
    const { id, snapshotDigest } = await submitted();
    const settled = await Promise.allSettled([
      edit(id, { snapshotDigest, lifetimeSeconds: 3600 }),
      edit(id, { snapshotDigest, lifetimeSeconds: 7200 }),
    ]);
    expect(settled.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
    for (const each of settled) {
      if (each.status === 'rejected') {
        expect(['precondition_failed', 'conflict']).toContain(each.reason.code);
      }
    }
  });

  test('cannot slip in what policy refuses', async () => {
    const { id } = await submitted({ tools: ['delete_note'] });
    await expect(edit(id, { purpose: { ...purpose, attended: false } })).rejects.toMatchObject({
      code: 'invalid',
    });
    expect((await stateOf(world, id)).currentRevision).toBe(1);
  });
});

describe('withdrawing', () => {
  test('is the owner’s', async () => {
    const { id } = await submitted();
    await expect(withdrawRequest(world.as(world.ava), { requestId: id, reason: '' })).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  test('ends the request and the quarantine, so that the client is told so', async () => {
    const { id } = await submitted();
    await withdrawRequest(world.as(world.olive), { requestId: id, reason: 'Not needed' });
    const request = await stateOf(world, id);
    expect(request.state).toBe('withdrawn');
    expect(request.agent).toMatchObject({ state: 'expired', stateCause: 'withdrawn' });
    expect(request.agent.instances[0]).toMatchObject({ state: 'rejected', stateCause: 'withdrawn' });
  });

  test('is not possible after the decision, and only once', async () => {
    const { id } = await submitted();
    await approve(id);
    await expect(withdrawRequest(world.as(world.olive), { requestId: id, reason: '' })).rejects.toMatchObject(
      { code: 'conflict', detail: { state: 'approved' } },
    );
    const other = await submitted();
    const withdraw = () => withdrawRequest(world.as(world.olive), { requestId: other.id, reason: '' });
    await expectOneWinner([withdraw(), withdraw()]);
  });

  test('records who and why', async () => {
    const { id } = await submitted();
    await withdrawRequest(world.as(world.olive), { requestId: id, reason: 'Wrong server' });
    const event = await database.db.prisma.auditEvent.findFirst({
      where: { requestRef: id, kind: 'request.withdraw' },
    });
    expect(event).toMatchObject({ actorId: world.olive.personId, reason: 'Wrong server' });
  });
});

describe('rejecting', () => {
  test('is an approver’s, and never of their own', async () => {
    const { id } = await submitted();
    const reject = (actor: RequestsWorld['olive']) =>
      rejectRequest(world.as(actor), { requestId: id, reason: 'No need' });
    await expect(reject(world.oscar)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(reject(world.adam)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(reject({ ...world.olive, roles: ['owner', 'approver'] })).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  test('ends the agent that never was, tells the owner why, and keeps it in history', async () => {
    const { id } = await submitted();
    await rejectRequest(world.as(world.ava), { requestId: id, reason: 'We have an agent for this' });
    const request = await stateOf(world, id);
    expect(request.state).toBe('rejected');
    expect(request.agent.state).toBe('expired');
    expect(request.agent.instances[0]?.state).toBe('rejected');
    const told = await database.db.prisma.notification.findFirst({ where: { href: `/requests/${id}` } });
    expect(told).toMatchObject({ kind: 'request.reject', personId: world.olive.personId });
    expect(told?.body).toContain('We have an agent for this');
    const event = await database.db.prisma.auditEvent.findFirst({
      where: { requestRef: id, kind: 'request.reject' },
    });
    expect(event).toMatchObject({ actorId: world.ava.personId, reason: 'We have an agent for this' });
  });

  test('happens once, and not on a draft or stale words', async () => {
    const { id } = await submitted();
    await expectOneWinner([
      rejectRequest(world.as(world.ava), { requestId: id, reason: 'No need' }),
      rejectRequest(world.as(world.abel), { requestId: id, reason: 'No need' }),
    ]);
    const unsent = await draft();
    await expect(
      rejectRequest(world.as(world.ava), { requestId: unsent.id, reason: 'No need' }),
    ).rejects.toMatchObject({ code: 'conflict' });
    const other = await submitted();
    await expect(
      rejectRequest(world.as(world.ava), {
        requestId: other.id,
        reason: 'No need',
        snapshotDigest: 'sha256:old',
      }),
    ).rejects.toMatchObject({ code: 'precondition_failed' });
  });
});

describe('requesting changes', () => {
  test('is an approver’s', async () => {
    const { id } = await submitted();
    await expect(
      requestChanges(world.as(world.adam), { requestId: id, reason: 'Fewer tools' }),
    ).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('sends back; the same words again are refused, a new revision is not', async () => {
    const { id } = await submitted();
    await requestChanges(world.as(world.ava), { requestId: id, reason: 'Leave writing out' });
    expect((await stateOf(world, id)).state).toBe('changes requested');
    const submit = () => submitRequest(world.as(world.olive), { requestId: id });
    await expect(submit()).rejects.toMatchObject({ code: 'conflict' });
    await edit(id, { tools: [{ serverId: world.serverId, name: 'read_note' }] });
    expect((await submit()).state).toBe('submitted');
    expect((await approve(id)).state).toBe('approved');
  });

  test('loses cleanly to a decision, and is recorded with its reason', async () => {
    const { id } = await submitted();
    await expectOneWinner([
      approve(id),
      requestChanges(world.as(world.abel), { requestId: id, reason: 'Fewer' }),
    ]);
    const other = await submitted();
    await requestChanges(world.as(world.ava), { requestId: other.id, reason: 'Fewer tools' });
    const event = await database.db.prisma.auditEvent.findFirst({
      where: { requestRef: other.id, kind: 'request.request_changes' },
    });
    expect(event).toMatchObject({ actorId: world.ava.personId, reason: 'Fewer tools' });
    await expect(
      requestChanges(world.as(world.abel), { requestId: other.id, reason: 'Again' }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('commenting', () => {
  test('is for everyone who sees the request and may act: not for auditors or strangers', async () => {
    const { id } = await submitted();
    const comment = (actor: RequestsWorld['olive']) =>
      commentRequest(world.as(actor), { requestId: id, text: 'Why?' });
    await expect(comment(world.audrey)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(comment(world.oscar)).rejects.toMatchObject({ code: 'not_found' });
    await comment(world.ava);
    await comment(world.olive);
    const told = await database.db.prisma.notification.findMany({
      where: { href: `/requests/${id}`, kind: 'request.comment' },
    });
    expect(told.map((each) => each.personId).sort()).toEqual(
      [world.olive.personId, world.ava.personId].sort(),
    );
    expect((await eventsOf(world, id)).filter((kind) => kind === 'request.comment')).toHaveLength(2);
  });
});

describe('expiring', () => {
  test('is the installation’s own work', async () => {
    await expect(expireRequests(world.as(world.adam))).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('ends what nobody decided within a day, with the quarantine, and tells the owner', async () => {
    const { id } = await submitted();
    const decided = await submitted();
    await approve(decided.id);
    const system = world.as({ kind: 'system', name: 'jobs' });
    world.clock.advanceSeconds(24 * 3600 + 1);
    await expireRequests(system);
    const request = await stateOf(world, id);
    expect(request.state).toBe('expired');
    expect(request.agent.instances[0]).toMatchObject({ state: 'rejected', stateCause: 'request expired' });
    expect((await stateOf(world, decided.id)).state).toBe('approved');
    const told = await database.db.prisma.notification.findFirst({
      where: { href: `/requests/${id}`, kind: 'request.expire' },
    });
    expect(told?.personId).toBe(world.olive.personId);
    expect(await expireRequests(system)).toBe(0);
    await expect(approve(id)).rejects.toMatchObject({ code: 'conflict', detail: { state: 'expired' } });
  });
});

describe('changing an approved agent', () => {
  const change = (agentId: string, tools: string[], more: object = {}) =>
    createRequest(
      world.as(world.olive),
      createRequestInput.parse({
        kind: 'change',
        agentId,
        agentName: 'Notes keeper',
        purpose,
        lifetimeSeconds: 8 * 3600,
        tools: tools.map((name) => ({ serverId: world.serverId, name })),
        submit: true,
        ...more,
      }),
    );

  test('replaces its binding by a new version, and the guards hear of both', async () => {
    const first = await submitted({ tools: ['list_notes'] });
    await approve(first.id);
    const second = await change(first.agentId, ['list_notes', 'write_note']);
    expect((await stateOf(world, second.id)).agent.bindings.filter((each) => !each.endedAt)).toHaveLength(1);
    await approve(second.id);
    const { agent } = await stateOf(world, second.id);
    const [old, now] = [...agent.bindings].sort((a, b) => a.version - b.version);
    expect(old).toMatchObject({ version: 1, endCause: 'superseded' });
    expect(now).toMatchObject({
      version: 2,
      endedAt: null,
      supersedesId: old?.id,
      toolNames: ['list_notes', 'write_note'],
    });
    expect(agent.lastBindingVersion).toBe(2);
    expect(await eventsOf(world, second.id)).toEqual([
      'request.create',
      'request.submit',
      'request.vote',
      'request.approve',
      'binding.end',
      'binding.create',
    ]);
    const feed = await database.db.prisma.feedEntry.findMany({
      where: { serverId: world.serverId, subject: { in: [old?.id ?? '', now?.id ?? ''] } },
      orderBy: { sequence: 'asc' },
    });
    expect(feed.map((entry) => entry.kind)).toEqual(['binding.changed', 'binding.ended', 'binding.changed']);
  });

  test('is refused while another request about the agent is open, and for an agent that is not the owner’s', async () => {
    const first = await submitted({ tools: ['list_notes'] });
    await approve(first.id);
    const open = await change(first.agentId, ['read_note']);
    await expect(change(first.agentId, ['read_note'])).rejects.toMatchObject({
      code: 'conflict',
      detail: { requestId: open.id },
    });
    await expect(
      createRequest(
        world.as(world.oscar),
        createRequestInput.parse({ kind: 'reinstate', agentId: first.agentId, reason: 'I want it' }),
      ),
    ).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a deputy may ask for a change, and is then as involved as the owner', async () => {
    const first = await submitted({ tools: ['list_notes'] });
    await edit(first.id, { deputyId: world.oscar.personId });
    await approve(first.id);
    const asked = await createRequest(
      world.as(world.oscar),
      createRequestInput.parse({
        kind: 'change',
        agentId: first.agentId,
        agentName: 'Notes keeper',
        deputyId: world.oscar.personId,
        purpose,
        lifetimeSeconds: 3600,
        tools: [{ serverId: world.serverId, name: 'read_note' }],
        submit: true,
      }),
    );
    const request = await stateOf(world, asked.id);
    expect(request).toMatchObject({ ownerId: world.olive.personId, createdById: world.oscar.personId });
    const both = { ...world.oscar, roles: ['owner', 'approver'] as const };
    await expect(approve(asked.id, both)).rejects.toMatchObject({
      code: 'forbidden',
      detail: { conflict: 'wrote' },
    });
    expect((await approve(asked.id)).state).toBe('approved');
  });

  test('a rejected change leaves the agent what it has', async () => {
    const first = await submitted({ tools: ['list_notes'] });
    await approve(first.id);
    const second = await change(first.agentId, ['list_notes', 'delete_note']);
    await rejectRequest(world.as(world.ava), { requestId: second.id, reason: 'Too much' });
    const { agent } = await stateOf(world, second.id);
    expect(agent.state).toBe('active');
    expect(agent.bindings.filter((each) => !each.endedAt).map((each) => each.version)).toEqual([1]);
  });
});

describe('reinstating a suspended agent', () => {
  async function suspendedAgent(by: RequestsWorld['olive']) {
    const first = await submitted({ tools: ['list_notes'] });
    await approve(first.id);
    const instance = (await stateOf(world, first.id)).agent.instances[0];
    await database.db.prisma.agent.update({
      where: { id: first.agentId },
      data: { state: 'suspended', stateById: by.personId, epoch: 2 },
    });
    await database.db.prisma.instance.updateMany({
      where: { agentId: first.agentId },
      data: { state: 'suspended' },
    });
    await database.db.prisma.refreshFamily.createMany({
      data: (['frozen', 'ended'] as const).map((state) => ({
        id: `fam_${state}_${first.agentId}`,
        instanceId: instance?.id ?? '',
        clientId: instance?.clientId ?? '',
        agentId: first.agentId,
        serverId: world.serverId,
        resource: world.resource,
        state,
        createdAt: world.clock.now(),
      })),
    });
    const request = await createRequest(
      world.as(world.olive),
      createRequestInput.parse({ kind: 'reinstate', agentId: first.agentId, reason: 'The incident is over' }),
    );
    return { ...request, agentId: first.agentId };
  }

  test('takes somebody who is neither owner nor suspender', async () => {
    const request = await suspendedAgent(world.ava);
    expect(request.state).toBe('submitted');
    await expect(approve(request.id, world.ava)).rejects.toMatchObject({
      code: 'forbidden',
      detail: { conflict: 'suspended' },
    });
    expect((await approve(request.id, world.abel)).state).toBe('approved');
    const { agent } = await stateOf(world, request.id);
    expect(agent).toMatchObject({ state: 'active', epoch: 2 });
    expect(agent.instances.map((each) => each.state)).toEqual(['active']);
    expect(agent.bindings.filter((each) => !each.endedAt)).toHaveLength(1);
    const families = await database.db.prisma.refreshFamily.findMany({
      where: { agentId: request.agentId },
      orderBy: { id: 'asc' },
    });
    expect(families.map((family) => family.state)).toEqual(['ended', 'live']);
    expect((await eventsOf(world, request.id)).at(-1)).toBe('agent.reinstate');
  });

  test('cannot be narrowed, and is void once the agent was revoked', async () => {
    const request = await suspendedAgent(world.ava);
    const snapshotDigest = await digestNow(world, request.id);
    await expect(
      approveRequest(
        world.as(world.abel),
        approveRequestInput.parse({ requestId: request.id, snapshotDigest, lifetimeSeconds: 60 }),
      ),
    ).rejects.toMatchObject({ code: 'invalid' });
    await database.db.prisma.agent.update({ where: { id: request.agentId }, data: { state: 'revoked' } });
    await expect(approve(request.id, world.abel)).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('the preview', () => {
  test('says what policy and approvers would do, and writes nothing', async () => {
    const before = await database.db.prisma.registrationRequest.count();
    const preview = await previewRequest(
      world.as(world.olive),
      previewRequestInput.parse({
        clientClass: 'headless service',
        attended: false,
        dataClass: 'internal',
        tools: [
          { serverId: world.serverId, name: 'delete_note' },
          { serverId: world.serverId, name: 'list_notes' },
        ],
      }),
    );
    expect(preview).toMatchObject({ risk: 'high', requiredApprovals: 1, verdict: { outcome: 'deny' } });
    expect(preview.approvers.sort()).toEqual(['abel', 'ava']);
    expect(await database.db.prisma.registrationRequest.count()).toBe(before);
  });

  test('is for owners', async () => {
    await expect(
      previewRequest(
        world.as(world.ava),
        previewRequestInput.parse({
          clientClass: 'interactive',
          attended: true,
          dataClass: 'public',
          tools: [],
        }),
      ),
    ).rejects.toMatchObject({ code: 'forbidden' });
  });
});
