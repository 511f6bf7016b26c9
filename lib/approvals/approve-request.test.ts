import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseSnapshot, snapshotDigestOf } from '#lib/agents/snapshot.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  eventsOf,
  type FileOptions,
  fileRequest,
  type RequestsWorld,
  redefineTool,
  stateOf,
} from '#tests/requests-world.ts';
import { approveSigned } from '../../tests/approvals.ts';
import { approveRequestInput } from './approve-request.ts';
import { editRequest, editRequestInput } from './edit-request.ts';
import { rejectRequest } from './reject-request.ts';
import { withdrawRequest } from './withdraw-request.ts';

let database: TestDatabase;
let world: RequestsWorld;

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 12, hot: 4, emergency: 1 });
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database.drop());

const approve = (
  actor: RequestsWorld['ava'],
  input: Record<string, unknown>,
  via: 'session' | 'token' = 'session',
) => approveSigned(world.as({ ...actor, via }), input);

async function submitted(options?: FileOptions) {
  const request = await fileRequest(world, options);
  return { ...request, requestId: request.id, snapshotDigest: await digestNow(world, request.id) };
}

describe('approving as asked', () => {
  test('activates agent and client and binds exactly the tools, in one step with its events', async () => {
    const { requestId, snapshotDigest } = await submitted();
    const done = await approve(world.ava, { requestId, snapshotDigest, comment: 'Fine by me' });
    expect(done).toMatchObject({ state: 'approved', votes: 1, requiredApprovals: 1, narrowed: false });
    expect(done.grantedDigest).toBe(snapshotDigest);
    const after = await stateOf(world, requestId);
    expect(after.state).toBe('approved');
    expect(after.agent.state).toBe('active');
    expect(after.agent.instances.map((instance) => instance.state)).toEqual(['active']);
    expect(after.agent.bindings).toHaveLength(1);
    expect(after.agent.bindings[0]).toMatchObject({
      toolNames: ['list_notes', 'read_note', 'write_note'],
      version: 1,
      endedAt: null,
      firstIssuedAt: null,
      expiresAt: null,
      lifetimeSeconds: 8 * 3600,
      grantedDigest: snapshotDigest,
    });
    expect(await eventsOf(world, requestId)).toEqual([
      'agent.create',
      'request.create',
      'client.register',
      'request.submit',
      'request.vote',
      'request.approve',
      'agent.activate',
      'binding.create',
    ]);
  });

  test('records who decided on what, linked to what follows from it', async () => {
    const { requestId, snapshotDigest } = await submitted();
    await approve(world.ava, { requestId, snapshotDigest, comment: 'Looked at the tools' });
    const events = await database.db.prisma.auditEvent.findMany({ where: { requestRef: requestId } });
    const of = (kind: string) => events.find((event) => event.kind === kind);
    expect(of('request.approve')).toMatchObject({
      actorId: world.ava.personId,
      reason: 'Looked at the tools',
      parentIds: [of('request.vote')?.id],
      before: { state: 'submitted' },
    });
    expect(of('binding.create')?.parentIds).toEqual([of('request.approve')?.id]);
    expect(of('agent.activate')?.parentIds).toEqual([of('request.approve')?.id]);
  });

  test('tells the owner what was decided and what to do next', async () => {
    const { requestId, snapshotDigest } = await submitted();
    await approve(world.ava, { requestId, snapshotDigest });
    const told = await database.db.prisma.notification.findMany({
      where: { personId: world.olive.personId, href: `/requests/${requestId}` },
    });
    expect(told.map((each) => each.kind)).toEqual(['request.approve']);
    expect(told[0]?.body).toContain('gets its tokens with its key');
  });

  test('feeds the guards of the server: the agent, then its binding', async () => {
    const { requestId, snapshotDigest, agentId } = await submitted();
    const done = await approve(world.ava, { requestId, snapshotDigest });
    const entries = await database.db.prisma.feedEntry.findMany({
      where: { serverId: world.serverId, subject: { in: [agentId, done.bindings[0]?.id ?? ''] } },
      orderBy: { sequence: 'asc' },
    });
    expect(entries.map((entry) => entry.kind)).toEqual(['agent.changed', 'binding.changed']);
    expect(entries[0]?.value).toMatchObject({
      agent: { state: 'active', attended: true, dataClass: 'internal' },
    });
  });

  test('gives the owner of a carried credential one right to reveal it within a day', async () => {
    const { requestId, snapshotDigest, agentId } = await submitted({ carried: true });
    await approve(world.ava, { requestId, snapshotDigest });
    const reveals = await database.db.prisma.reveal.findMany({ where: { agentId } });
    expect(reveals).toHaveLength(1);
    expect(reveals[0]?.ownerId).toBe(world.olive.personId);
    expect((reveals[0]?.expiresAt.getTime() ?? 0) - world.clock.now().getTime()).toBe(24 * 3600 * 1000);
  });
});

describe('who may not approve', () => {
  test('nobody without the role approver', async () => {
    const { requestId, snapshotDigest } = await submitted();
    for (const person of [world.oscar, world.audrey, world.adam]) {
      await expect(approve(person, { requestId, snapshotDigest })).rejects.toMatchObject({
        code: 'forbidden',
      });
    }
    expect((await stateOf(world, requestId)).votes).toEqual([]);
  });

  test('not its own writer, whatever other roles they hold (T04)', async () => {
    const { requestId, snapshotDigest } = await submitted();
    const both = { ...world.olive, roles: ['owner', 'approver', 'admin'] as const };
    await expect(approve(both, { requestId, snapshotDigest })).rejects.toMatchObject({
      code: 'forbidden',
      detail: { conflict: 'wrote' },
    });
    expect((await stateOf(world, requestId)).state).toBe('submitted');
  });

  test('not even past the verb: the database itself refuses an own vote', async () => {
    const { requestId } = await submitted();
    const request = await database.db.prisma.requestRevision.findFirstOrThrow({ where: { requestId } });
    await expect(
      database.db.prisma.decisionVote.create({
        data: {
          id: `vot_forged_${requestId}`,
          requestId,
          revisionId: request.id,
          personId: world.olive.personId,
          subject: world.olive.subject,
          verdict: 'approve',
          snapshotDigest: request.snapshotDigest,
          decidedAt: world.clock.now(),
        },
      }),
    ).rejects.toThrow(/cannot approve what they wrote or own/);
  });

  test('an API token approves low risk only', async () => {
    const medium = await submitted();
    await expect(
      approve(
        world.ava,
        medium.requestId ? { requestId: medium.requestId, snapshotDigest: medium.snapshotDigest } : {},
        'token',
      ),
    ).rejects.toMatchObject({ code: 'forbidden', detail: { risk: 'medium' } });
    const low = await submitted({ tools: ['list_notes'] });
    const done = await approve(
      world.ava,
      { requestId: low.requestId, snapshotDigest: low.snapshotDigest },
      'token',
    );
    expect(done.state).toBe('approved');
    const narrowed = await approve(
      world.ava,
      { requestId: medium.requestId, snapshotDigest: medium.snapshotDigest, toolLines: ['list_notes'] },
      'token',
    );
    expect(narrowed).toMatchObject({ state: 'approved', narrowed: true });
  });
});

describe('what a decision is made on (T02)', () => {
  test('without a digest nothing is decided', async () => {
    const { requestId } = await submitted();
    await expect(approve(world.ava, { requestId })).rejects.toMatchObject({ code: 'precondition_required' });
  });

  test('an edit in between makes it stale, says what changed, and leaves the request waiting', async () => {
    const { requestId, snapshotDigest } = await submitted({ tools: ['list_notes'] });
    await editRequest(
      world.as(world.olive),
      editRequestInput.parse({
        requestId,
        tools: [
          { serverId: world.serverId, name: 'list_notes' },
          { serverId: world.serverId, name: 'delete_note' },
        ],
      }),
    );
    await expect(approve(world.ava, { requestId, snapshotDigest })).rejects.toMatchObject({
      code: 'precondition_failed',
      detail: { revision: 2, changes: [expect.objectContaining({ effect: 'widens', change: 'added' })] },
    });
    expect((await stateOf(world, requestId)).state).toBe('submitted');
    const fresh = await digestNow(world, requestId);
    expect(await approve(world.ava, { requestId, snapshotDigest: fresh })).toMatchObject({
      state: 'approved',
    });
  });

  test('a digest nobody ever saw decides nothing', async () => {
    const { requestId } = await submitted();
    await expect(approve(world.ava, { requestId, snapshotDigest: 'sha256:invented' })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
  });

  test('a tool redefined since then is not approved, unless it is left out', async () => {
    const { requestId, snapshotDigest } = await submitted();
    await redefineTool(world, 'write_note', { class: 'write', risk: 'medium' });
    await expect(approve(world.ava, { requestId, snapshotDigest })).rejects.toMatchObject({
      code: 'precondition_failed',
      detail: { stale: [expect.objectContaining({ what: 'tool', name: 'write_note' })] },
    });
    const done = await approve(world.ava, { requestId, snapshotDigest, toolLines: ['list_notes'] });
    expect(done.bindings[0]?.toolNames).toEqual(['list_notes']);
  });

  test('a client whose metadata changed since then is not approved', async () => {
    const { requestId, snapshotDigest, agentId } = await submitted();
    const instance = await database.db.prisma.instance.findFirstOrThrow({ where: { agentId } });
    await database.db.prisma.client.update({
      where: { id: instance.clientId },
      data: { metadataDigest: 'sha256:something else' },
    });
    await expect(approve(world.ava, { requestId, snapshotDigest })).rejects.toMatchObject({
      code: 'precondition_failed',
      detail: { stale: [expect.objectContaining({ what: 'client' })] },
    });
  });

  test('what is decided stays decided', async () => {
    const { requestId, snapshotDigest } = await submitted();
    await approve(world.ava, { requestId, snapshotDigest });
    await expect(approve(world.abel, { requestId, snapshotDigest })).rejects.toMatchObject({
      code: 'conflict',
      detail: { state: 'approved' },
    });
    expect((await stateOf(world, requestId)).votes).toHaveLength(1);
  });

  test('a draft is nobody’s to approve', async () => {
    const draft = await fileRequest(world, { submit: false });
    await expect(
      approve(world.ava, { requestId: draft.id, snapshotDigest: draft.snapshotDigest }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('narrowing', () => {
  test('grants less tools and time, and keeps what was asked beside it', async () => {
    const { requestId, snapshotDigest } = await submitted();
    const done = await approve(world.ava, {
      requestId,
      snapshotDigest,
      toolLines: [{ serverId: world.serverId, name: 'read_note' }],
      lifetimeSeconds: 3600,
      comment: 'Reading is enough',
    });
    expect(done).toMatchObject({ state: 'approved', narrowed: true });
    expect(done.grantedDigest).not.toBe(snapshotDigest);
    const after = await stateOf(world, requestId);
    expect(after.agent.bindings[0]).toMatchObject({ toolNames: ['read_note'], lifetimeSeconds: 3600 });
    const vote = after.votes[0];
    expect(vote?.verdict).toBe('approve narrowed');
    expect(snapshotDigestOf(parseSnapshot(vote?.granted))).toBe(done.grantedDigest);
    const revision = await database.db.prisma.requestRevision.findFirstOrThrow({ where: { requestId } });
    expect(parseSnapshot(revision.snapshot).tools).toHaveLength(3);
  });

  test('accepts the lines of the review as they are, and limits on arguments', async () => {
    const { requestId, snapshotDigest } = await submitted();
    const revision = await database.db.prisma.requestRevision.findFirstOrThrow({ where: { requestId } });
    const [line] = parseSnapshot(revision.snapshot).tools;
    const limit = { pointer: '/path', operator: 'below_path', value: '/team' };
    const done = await approve(world.ava, {
      requestId,
      snapshotDigest,
      toolLines: [{ ...line, constraints: [limit] }],
    });
    expect(done.bindings).toHaveLength(1);
    const after = await stateOf(world, requestId);
    expect(after.agent.bindings[0]?.constraints).toEqual({ list_notes: [limit] });
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['a tool nobody asked for', { toolLines: ['delete_note'] }, 'toolLines.0'],
    ['a tool twice', { toolLines: ['read_note', 'read_note'] }, 'toolLines'],
    ['more time', { lifetimeSeconds: 9 * 3600 }, 'lifetimeSeconds'],
  ])('cannot widen: %s', async (_title, more, path) => {
    const { requestId, snapshotDigest } = await submitted();
    await expect(approve(world.ava, { requestId, snapshotDigest, ...more })).rejects.toMatchObject({
      code: 'invalid',
      detail: { issues: [expect.objectContaining({ path })] },
    });
    expect((await stateOf(world, requestId)).state).toBe('submitted');
  });

  test.each([-1, 0, 1.5, 2 ** 31, 2 ** 53, Number.NaN, 1e308, '3600'])(
    'refuses a lifetime of %s',
    (lifetimeSeconds) => {
      expect(approveRequestInput.safeParse({ requestId: 'req_1', lifetimeSeconds }).success).toBe(false);
    },
  );

  test('nothing at all is a rejection, not an approval', () => {
    expect(approveRequestInput.safeParse({ requestId: 'req_1', toolLines: [] }).success).toBe(false);
  });
});

describe('two approvals', () => {
  test('are needed where a high-risk tool meets restricted data, and the second starts from what the first left', async () => {
    const { requestId, snapshotDigest } = await submitted({
      tools: ['list_notes', 'read_note', 'delete_note'],
      dataClass: 'restricted',
    });
    const first = await approve(world.ava, {
      requestId,
      snapshotDigest,
      toolLines: ['read_note', 'delete_note'],
    });
    expect(first).toMatchObject({ state: 'submitted', votes: 1, requiredApprovals: 2, bindings: [] });
    expect((await stateOf(world, requestId)).agent.state).toBe('pending');
    await expect(approve(world.ava, { requestId, snapshotDigest })).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(
      approve(world.abel, { requestId, snapshotDigest, toolLines: ['list_notes'] }),
    ).rejects.toMatchObject({ code: 'invalid' });
    const second = await approve(world.abel, { requestId, snapshotDigest });
    expect(second).toMatchObject({ state: 'approved', votes: 2 });
    expect(second.bindings[0]?.toolNames).toEqual(['delete_note', 'read_note']);
  });

  test('an edit after the first vote asks for both again', async () => {
    const { requestId, snapshotDigest } = await submitted({
      tools: ['delete_note'],
      dataClass: 'restricted',
    });
    await approve(world.ava, { requestId, snapshotDigest });
    await editRequest(world.as(world.olive), editRequestInput.parse({ requestId, lifetimeSeconds: 7200 }));
    const fresh = await digestNow(world, requestId);
    expect(await approve(world.abel, { requestId, snapshotDigest: fresh })).toMatchObject({
      state: 'submitted',
      votes: 1,
    });
  });
});

describe('races have exactly one outcome (T05)', () => {
  const outcomes = async (calls: Promise<unknown>[]) => {
    const settled = await Promise.allSettled(calls);
    const failures = settled.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    return { won: settled.length - failures.length, codes: [...new Set(failures.map((each) => each.code))] };
  };

  test('of two approvers one decides', async () => {
    for (let round = 0; round < 6; round++) {
      const { requestId, snapshotDigest } = await submitted();
      const { won, codes } = await outcomes([
        approve(world.ava, { requestId, snapshotDigest }),
        approve(world.abel, { requestId, snapshotDigest }),
      ]);
      expect(won).toBe(1);
      expect(codes).toEqual(['conflict']);
      const events = await eventsOf(world, requestId);
      expect(events.filter((kind) => kind === 'request.approve')).toHaveLength(1);
      expect(events.filter((kind) => kind === 'binding.create')).toHaveLength(1);
    }
  });

  test('approve against reject, withdraw and edit: history is one line, and authority only after an approval', async () => {
    for (let round = 0; round < 6; round++) {
      const { requestId, snapshotDigest } = await submitted();
      const { codes } = await outcomes([
        approve(world.ava, { requestId, snapshotDigest }),
        rejectRequest(world.as(world.abel), { requestId, reason: 'Not needed' }),
        withdrawRequest(world.as(world.olive), { requestId, reason: '' }),
        editRequest(world.as(world.olive), editRequestInput.parse({ requestId, lifetimeSeconds: 3600 })),
      ]);
      for (const code of codes) expect(['conflict', 'precondition_failed']).toContain(code);
      const after = await stateOf(world, requestId);
      expect(['approved', 'rejected', 'withdrawn']).toContain(after.state);
      const ends = (await eventsOf(world, requestId)).filter((kind) =>
        ['request.approve', 'request.reject', 'request.withdraw'].includes(kind),
      );
      expect(ends).toHaveLength(1);
      expect(after.agent.bindings.length).toBe(after.state === 'approved' ? 1 : 0);
      expect(after.agent.state).toBe(after.state === 'approved' ? 'active' : 'expired');
    }
  });

  test('fifty at once from two approvers leave one approval', { timeout: 60_000 }, async () => {
    const { requestId, snapshotDigest } = await submitted();
    const { won, codes } = await outcomes(
      Array.from({ length: 50 }, (_, index) =>
        approve(index % 2 ? world.ava : world.abel, { requestId, snapshotDigest }),
      ),
    );
    expect(won).toBe(1);
    expect(codes.filter((code) => code !== 'conflict' && code !== 'unavailable')).toEqual([]);
    expect((await stateOf(world, requestId)).votes).toHaveLength(1);
  });

  test('a revoke that came first wins', async () => {
    const { requestId, snapshotDigest, agentId } = await submitted();
    await database.db.prisma.agent.update({ where: { id: agentId }, data: { state: 'revoked' } });
    await expect(approve(world.ava, { requestId, snapshotDigest })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect((await stateOf(world, requestId)).agent.bindings).toEqual([]);
  });

  test('an approval does not outlive its owner’s account', async () => {
    const { requestId, snapshotDigest } = await submitted({ owner: world.oscar });
    await database.db.prisma.person.update({
      where: { id: world.oscar.personId },
      data: { state: 'deactivated' },
    });
    await expect(approve(world.ava, { requestId, snapshotDigest })).rejects.toMatchObject({
      code: 'conflict',
    });
    await database.db.prisma.person.update({
      where: { id: world.oscar.personId },
      data: { state: 'active' },
    });
  });
});
