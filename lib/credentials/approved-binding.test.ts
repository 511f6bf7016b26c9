import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { approveRequest, approveRequestInput } from '#lib/approvals/approve-request.ts';
import { beginApproval } from '#lib/approvals/signed-approval.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { openDb } from '#lib/platform/db.ts';
import { revokeAgent, stopAgentInput } from '#lib/revocation/stop-agent.ts';
import { approveSigned, enrolledLongAgo, passkeyOf } from '../../tests/approvals.ts';
import { createTestDatabase, editByHand, type TestDatabase } from '../../tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  fileRequest,
  type RequestsWorld,
} from '../../tests/requests-world.ts';
import { isApprovalHonoured } from './approved-binding.ts';
import { isInForce, readStanding } from './standing.ts';

let database: TestDatabase;
let world: RequestsWorld;
beforeAll(async () => {
  database = await createTestDatabase({ prisma: 4, hot: 4, emergency: 1 });
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database?.drop());

/** An agent whose request was approved through the verbs, signed where that is needed. */
async function approved(tools = ['list_notes', 'write_note']) {
  const request = await fileRequest(world, { tools });
  const ava = world.as(world.ava);
  await approveSigned(ava, { requestId: request.id, snapshotDigest: await digestNow(world, request.id) });
  const agent = await world.db.prisma.agent.findUniqueOrThrow({
    where: { id: request.agentId },
    include: { instances: true, bindings: true },
  });
  const [instance, binding] = [agent.instances[0], agent.bindings[0]];
  if (!instance || !binding) throw new Error('nothing was approved');
  return { requestId: request.id, agentId: agent.id, clientId: instance.clientId, bindingId: binding.id };
}

/** What a process that has just started would mint from the agent's binding. */
async function mintable(agent: { clientId: string }): Promise<string[]> {
  const fresh = openDb(database.urls.gate, { prisma: 2, hot: 2, emergency: 1 });
  try {
    return await mintableHere(world.as({ kind: 'system', name: 'test' }, { db: fresh }), agent);
  } finally {
    await fresh.close();
  }
}

async function mintableHere(ctx: Ctx, agent: { clientId: string }): Promise<string[]> {
  const standing = await readStanding(ctx, agent.clientId, null);
  return (standing?.bindings ?? [])
    .filter((binding) => isInForce(binding, ctx.clock.now()))
    .flatMap((binding) => binding.tools.map((tool) => tool.name));
}

/** Why history says that this binding is not believed, one a telling. */
async function distrustOf(subjectId: string): Promise<string[]> {
  const kind = 'binding.distrust';
  return (await world.db.prisma.auditEvent.findMany({ where: { kind, subjectId } })).map(
    ({ reason }) => reason,
  );
}

const edit = (statement: string, ...values: unknown[]) => editByHand(database, statement, values);
/** Past triggers and all: whoever owns the machine. */
const editAsOwnerOfAll = (statement: string, ...values: unknown[]) =>
  editByHand({ ...database, urls: { ...database.urls, owner: database.superuserUrl } }, statement, values);

const reviveKeys = () =>
  editAsOwnerOfAll(`SET session_replication_role = replica; UPDATE person_key SET ended_at = NULL`);

test('mints what was signed, also after the key that signed was removed', async () => {
  const agent = await approved();
  expect(await mintable(agent)).toEqual(['list_notes', 'write_note']);
  await edit(
    `UPDATE person_key SET ended_at = $2 WHERE id = (SELECT key_id FROM decision_vote WHERE request_id = $1)`,
    agent.requestId,
    new Date(world.clock.now().getTime() + 1000),
  );
  expect(await mintable(agent)).toEqual(['list_notes', 'write_note']);
  await reviveKeys();
});

describe('what is approved is minted, and what would not be minted is not approved', () => {
  const movedOrigin = 'https://countersign.localhost:4940';

  /** As the console asks and decides, on a console whose origin may have changed since the passkey was made. */
  async function decide(ctx: Ctx, requestId: string, origin?: string) {
    const snapshotDigest = await digestNow(world, requestId);
    const { personId } = ctx.actor as { personId: string };
    const { authenticator } = await passkeyOf(world.as(world.ava), personId);
    const { passkey } = await beginApproval(ctx, { requestId, snapshotDigest });
    const assertion = authenticator.get(passkey as never, origin ? { origin } : {});
    const signature = { by: 'passkey', assertion };
    return approveRequest(ctx, approveRequestInput.parse({ requestId, snapshotDigest, signature }));
  }

  async function agentOf(agentId: string) {
    return world.db.prisma.instance.findFirstOrThrow({ where: { agentId } });
  }

  test('after the console went to another port and scheme, and on any host but the key’s nothing', async () => {
    const request = await fileRequest(world);
    const { site } = world.as(world.ava);
    const moved = world.as(world.ava, { site: { ...site, consoleOrigin: movedOrigin } });
    await expect(decide(moved, request.id, site.consoleOrigin)).rejects.toMatchObject({ code: 'forbidden' });
    expect((await decide(moved, request.id, movedOrigin)).state).toBe('approved');
    expect(await mintable(await agentOf(request.agentId))).toContain('write_note');
  });

  test('after the console went to another host, where nobody has a passkey yet', async () => {
    const agent = await approved();
    const { site } = world.as(world.ava);
    const elsewhere = { ...site, consoleOrigin: 'https://approve.example' };
    const fresh = openDb(database.urls.gate, { prisma: 2, hot: 2, emergency: 1 });
    const here = world.as({ kind: 'system', name: 'test' }, { db: fresh, site: elsewhere });
    expect(await mintableHere(here, agent).finally(() => fresh.close())).toEqual([
      'list_notes',
      'write_note',
    ]);
  });

  test('one of two votes from before votes were signed', async () => {
    const request = await fileRequest(world, { tools: ['delete_note'], dataClass: 'restricted' });
    expect((await decide(world.as(world.ava), request.id)).state).toBe('submitted');
    await edit(`UPDATE decision_vote SET key_id = NULL, signature = NULL WHERE request_id = $1`, request.id);
    const abel = world.as(world.abel);
    await expect(decide(abel, request.id)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('Ask for changes'),
    });
    const after = await world.db.prisma.registrationRequest.findUniqueOrThrow({ where: { id: request.id } });
    expect(after.state).toBe('submitted');
    expect(await world.db.prisma.toolBinding.count({ where: { agentId: request.agentId } })).toBe(0);
  });

  test('a key enrolled by a clock that is ahead, by no more than clocks may differ', async () => {
    for (const [seconds, outcome] of [
      [-20, 'approved'],
      [-40, 'refused'],
    ] as const) {
      const request = await fileRequest(world);
      const clock = { now: () => new Date(enrolledLongAgo.getTime() + seconds * 1000), monotonicMs: () => 0 };
      const grants = { where: { personId: world.ava.personId, role: 'approver' } };
      const [grant] = await world.db.prisma.roleGrant.findMany(grants);
      await edit(`UPDATE role_grant SET effective_at = '2026-01-01' WHERE id = $1`, grant?.id);
      const decision = decide(world.as(world.ava, { clock }), request.id).then(
        ({ state }) => state,
        ({ code }) => (code === 'conflict' ? 'refused' : code),
      );
      expect(await decision).toBe(outcome);
      const binding = await world.db.prisma.toolBinding.findFirst({ where: { agentId: request.agentId } });
      expect(binding ? await isApprovalHonoured(world.db.prisma, binding.id) : false).toBe(
        outcome === 'approved',
      );
    }
  });

  test('a second vote that would seem to come before the first', async () => {
    const request = await fileRequest(world, { tools: ['delete_note'], dataClass: 'restricted' });
    expect((await decide(world.as(world.ava), request.id)).state).toBe('submitted');
    await edit(
      `UPDATE decision_vote SET decided_at = $2 WHERE request_id = $1`,
      request.id,
      new Date(world.clock.now().getTime() + 1000),
    );
    await expect(decide(world.as(world.abel), request.id)).rejects.toMatchObject({ code: 'conflict' });
    world.clock.advanceSeconds(1);
    expect((await decide(world.as(world.abel), request.id)).state).toBe('approved');
    expect(await mintable(await agentOf(request.agentId))).toEqual(['delete_note']);
  });

  test('a key removed after a vote by a clock that is behind it, by no more than clocks may differ', async () => {
    const agent = await approved();
    const remove = (seconds: number) =>
      edit(
        `UPDATE person_key SET ended_at = $2 WHERE id = (SELECT key_id FROM decision_vote WHERE request_id = $1)`,
        agent.requestId,
        new Date(world.clock.now().getTime() + seconds * 1000),
      );
    await remove(-20);
    expect(await mintable(agent)).not.toEqual([]);
    await remove(-40);
    expect(await mintable(agent)).toEqual([]);
    await reviveKeys();
  });
});

describe('mints nothing', () => {
  test.each([
    ['without the signature', `UPDATE decision_vote SET signature = NULL WHERE request_id = $1`],
    ['without the vote', `DELETE FROM decision_vote WHERE request_id = $1`],
    [
      'with the signature of another approval',
      `UPDATE decision_vote v SET signature = (SELECT o.signature FROM decision_vote o WHERE o.request_id <> $1
         AND o.signature IS NOT NULL LIMIT 1) WHERE v.request_id = $1`,
    ],
    [
      'when the vote is said to be somebody else’s',
      `UPDATE decision_vote SET person_id = (SELECT id FROM person WHERE display_name = 'abel') WHERE request_id = $1`,
    ],
    [
      'when the vote grants more than was signed',
      `UPDATE decision_vote SET granted = jsonb_set(granted, '{lifetimeSeconds}', '999999') WHERE request_id = $1`,
    ],
    [
      'when the request was never approved',
      `UPDATE registration_request SET state = 'withdrawn' WHERE id = $1`,
    ],
    ['when two votes are needed', `UPDATE registration_request SET required_approvals = 2 WHERE id = $1`],
    [
      'when what was asked was rewritten',
      `UPDATE request_revision SET snapshot = jsonb_set(snapshot, '{lifetimeSeconds}', '999999') WHERE request_id = $1`,
    ],
    [
      'when the key was enrolled after the vote, by the vote’s own word',
      `UPDATE decision_vote SET decided_at = '2026-01-01' WHERE request_id = $1`,
    ],
    [
      'when the key had been removed before the vote',
      `UPDATE person_key SET ended_at = '2026-01-20' WHERE id = (SELECT key_id FROM decision_vote WHERE request_id = $1)`,
    ],
  ])('%s', async (_, statement) => {
    const other = await approved();
    const agent = await approved();
    expect(await mintable(agent)).not.toEqual([]);
    expect(await edit(statement, agent.requestId)).toBeGreaterThan(0);
    expect(await mintable(agent)).toEqual([]);
    await reviveKeys();
    expect(await mintable(other)).not.toEqual([]);
  });

  test.each([
    ['its tools widened', `UPDATE tool_binding SET tool_names = tool_names || '{delete_note}' WHERE id = $1`],
    ['its time widened', `UPDATE tool_binding SET lifetime_seconds = 9999999 WHERE id = $1`],
    ['its limits altered', `UPDATE tool_binding SET constraints = '{"write_note":[]}' WHERE id = $1`],
    [
      'another definition put in',
      `UPDATE tool_binding SET tool_version_ids = (SELECT array_agg(id) FROM tool_version) WHERE id = $1`,
    ],
    [
      'its time set on, before it was used',
      `UPDATE tool_binding SET unused_ends_at = unused_ends_at + interval '1 year' WHERE id = $1`,
    ],
    [
      'its time set on, after it was used',
      `UPDATE tool_binding SET first_issued_at = valid_from, expires_at = valid_from + interval '2 years' WHERE id = $1`,
    ],
    [
      'its purpose made milder, which policies are asked about',
      `UPDATE request_revision SET purpose = jsonb_set(purpose, '{dataClass}', '"public"')
        WHERE id = (SELECT revision_id FROM tool_binding WHERE id = $1)`,
    ],
  ])('once a binding has %s, also in a process that knew it, and says so once', async (_, statement) => {
    const agent = await approved();
    const here = world.as({ kind: 'system', name: 'test' });
    expect(await mintableHere(here, agent)).toEqual(['list_notes', 'write_note']);
    expect(await edit(statement, agent.bindingId)).toBe(1);
    for (let time = 0; time < 2; time++) expect(await mintableHere(here, agent)).toEqual([]);
    expect(await distrustOf(agent.bindingId)).toHaveLength(1);
    expect(await mintable(agent)).toEqual([]);
  });

  test('once its server got another resource, which tokens are for', async () => {
    const agent = await approved();
    const here = world.as({ kind: 'system', name: 'test' });
    expect(await mintableHere(here, agent)).not.toEqual([]);
    await edit(
      `UPDATE mcp_server SET resource = 'https://elsewhere.example/mcp' WHERE id = $1`,
      world.serverId,
    );
    try {
      expect(await mintableHere(here, agent)).toEqual([]);
      expect(await distrustOf(agent.bindingId)).toEqual(['another resource']);
    } finally {
      await edit(`UPDATE mcp_server SET resource = $2 WHERE id = $1`, world.serverId, world.resource);
    }
    expect(await mintableHere(here, agent)).not.toEqual([]);
  });

  test('from a binding that ended and that somebody brought back, also in a process that knew it', async () => {
    const agent = await approved();
    const here = world.as({ kind: 'system', name: 'test' });
    expect(await mintableHere(here, agent)).not.toEqual([]);
    await revokeAgent(world.as(world.ava), stopAgentInput.parse({ agentId: agent.agentId }));
    await edit(`UPDATE tool_binding SET ended_at = NULL, end_cause = NULL WHERE id = $1`, agent.bindingId);
    expect(await mintableHere(here, agent)).toEqual([]);
    expect(await mintable(agent)).toEqual([]);
    expect(new Set(await distrustOf(agent.bindingId))).toEqual(
      new Set(['it ended, and its row says it did not']),
    );
  });

  test('for a client that somebody pointed at an approved agent', async () => {
    const agent = await approved();
    const thief = await approved();
    await edit(`UPDATE instance SET agent_id = $1 WHERE agent_id = $2`, agent.agentId, thief.agentId);
    expect(await mintable(thief)).toEqual([]);
    expect(await distrustOf(agent.bindingId)).toEqual(['client was neither approved nor linked']);
    expect(await mintable(agent)).not.toEqual([]);
    // Nor by taking over the instance that was approved.
    const other = await approved();
    await edit(`UPDATE instance SET state = 'revoked' WHERE client_id = $1`, thief.clientId);
    await edit(`UPDATE instance SET client_id = $1 WHERE agent_id = $2`, thief.clientId, other.agentId);
    expect(await mintable(thief)).toEqual([]);
  });

  test('from a binding somebody inserted, whether or not it only reads, and says so once', async () => {
    for (const tools of [['list_notes'], ['list_notes', 'write_note']]) {
      const agent = await approved(tools);
      await edit(`UPDATE tool_binding SET ended_at = now() WHERE id = $1`, agent.bindingId);
      const inserted = `bnd_${agent.bindingId.slice(-12)}`;
      await edit(
        `INSERT INTO tool_binding (id, agent_id, server_id, version, request_id, revision_id, granted_digest, tool_names,
           tool_version_ids, constraints, lifetime_seconds, valid_from, unused_ends_at)
         SELECT $2, agent_id, server_id, version + 1, request_id, revision_id, 'sha256:mine', tool_names, tool_version_ids,
           constraints, lifetime_seconds, valid_from, unused_ends_at FROM tool_binding WHERE id = $1`,
        agent.bindingId,
        inserted,
      );
      const here = world.as({ kind: 'system', name: 'test' });
      expect(await mintableHere(here, agent)).toEqual([]);
      world.clock.advanceSeconds(10);
      expect(await mintableHere(here, agent)).toEqual([]);
      const events = await database.db.prisma.auditEvent.findMany({ where: { subjectId: inserted } });
      expect(events.map(({ kind, outcome }) => [kind, outcome])).toEqual([['binding.distrust', 'refused']]);
    }
  });

  test('from a key that stands in the database and not in the history', async () => {
    const agent = await approved();
    // The same key under another id: its signatures hold, its enrolment is nobody's.
    await edit(
      `UPDATE person_key SET event_id = (SELECT id FROM audit_event WHERE kind = 'request.vote' LIMIT 1)
        WHERE id = (SELECT key_id FROM decision_vote WHERE request_id = $1)`,
      agent.requestId,
    );
    expect(await mintable(agent)).toEqual([]);
    await edit(
      `UPDATE person_key k SET event_id = (SELECT id FROM audit_event e WHERE e.subject_id = k.id LIMIT 1)`,
    );
    expect(await mintable(agent)).not.toEqual([]);
  });

  test('from a key whose event was altered by whoever owns the machine', async () => {
    const agent = await approved();
    await editAsOwnerOfAll(`ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only`);
    await editAsOwnerOfAll(
      `UPDATE audit_event SET actor_name = 'somebody' WHERE kind = 'person_key.add'
         AND subject_id = (SELECT key_id FROM decision_vote WHERE request_id = $1)`,
      agent.requestId,
    );
    expect(await mintable(agent)).toEqual([]);
    await editAsOwnerOfAll(`UPDATE audit_event SET actor_name = '' WHERE kind = 'person_key.add'`);
    await editAsOwnerOfAll(`ALTER TABLE audit_event ENABLE TRIGGER audit_event_append_only`);
    expect(await mintable(agent)).not.toEqual([]);
  });
});

test('a tool that turns out to write is not minted from an approval nobody signed', async () => {
  const unsigned = await approved(['list_notes', 'read_note']);
  const signed = await approved(['read_note', 'write_note']);
  await edit(
    `UPDATE tool_version SET class = 'write' WHERE tool_id = (SELECT id FROM tool WHERE name = 'read_note')`,
  );
  expect(await mintable(unsigned)).toEqual(['list_notes']);
  expect(await mintable(signed)).toEqual(['read_note', 'write_note']);
  await edit(
    `UPDATE tool_version SET class = 'read' WHERE tool_id = (SELECT id FROM tool WHERE name = 'read_note')`,
  );
});

describe('an approval from before signatures', () => {
  /** As the migration marks what it finds. */
  async function markAsOld(bindingId: string, more = ''): Promise<void> {
    await editAsOwnerOfAll('ALTER TABLE tool_binding DISABLE TRIGGER tool_binding_proof');
    await editAsOwnerOfAll(
      `UPDATE tool_binding SET proof = 'before signatures' ${more} WHERE id = $1`,
      bindingId,
    );
    await editAsOwnerOfAll('ALTER TABLE tool_binding ENABLE TRIGGER tool_binding_proof');
  }

  test('stays good, and nothing can be made or widened to look like one', async () => {
    const agent = await approved();
    await markAsOld(agent.bindingId);
    await edit(`DELETE FROM decision_vote WHERE request_id = $1`, agent.requestId);
    expect(await mintable(agent)).toEqual(['list_notes', 'write_note']);
    const other = await approved();
    for (const statement of [
      `UPDATE tool_binding SET proof = 'before signatures' WHERE id = '${other.bindingId}'`,
      `UPDATE tool_binding SET tool_names = tool_names || '{delete_note}' WHERE id = '${agent.bindingId}'`,
      `UPDATE tool_binding SET lifetime_seconds = lifetime_seconds + 1 WHERE id = '${agent.bindingId}'`,
    ]) {
      await expect(edit(statement)).rejects.toThrow(/rests on its votes|cannot be changed/);
    }
  });

  test('gives no more than history says, whoever got past the trigger', async () => {
    const agent = await approved(['list_notes']);
    await markAsOld(agent.bindingId, `, tool_names = tool_names || '{write_note}'`);
    expect(await mintable(agent)).toEqual([]);
    const other = await approved(['list_notes']);
    await markAsOld(other.bindingId, `, id = '${other.bindingId}x'`);
    expect(await mintable(other)).toEqual([]);
  });
});

test('a removed key stays removed, and history’s word of its end counts whatever the row says', async () => {
  const key = await world.db.prisma.personKey.findFirstOrThrow({
    where: { personId: world.ava.personId, endedAt: null },
  });
  await recordEvent(world.db.prisma as never, world.as(world.ava), {
    kind: 'person_key.end',
    subjectId: key.id,
    reason: 'removed',
    data: { personId: key.personId },
  });
  const before = await approved();
  world.clock.advanceSeconds(60);
  // The deciding verb asks the minter first, so that nothing is approved which it would not honour.
  await expect(approved()).rejects.toMatchObject({ code: 'conflict' });
  expect(await mintable(before)).toEqual(['list_notes', 'write_note']);
  await edit('UPDATE person_key SET ended_at = $2 WHERE id = $1', key.id, world.clock.now());
  for (const end of [null, new Date(world.clock.now().getTime() + 1)]) {
    await expect(edit('UPDATE person_key SET ended_at = $2 WHERE id = $1', key.id, end)).rejects.toThrow(
      /stays removed/,
    );
  }
});
