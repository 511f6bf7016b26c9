import { z } from 'zod';
import { hasRole, requirePerson } from '#lib/access/require.ts';
import { toAgentFacts } from '#lib/agents/agent-facts.ts';
import { appendFeedEntry } from '#lib/agents/feed.ts';
import { type AgentState, agentStatesBefore, instanceStatesBefore } from '#lib/agents/states.ts';
import { notify } from '#lib/audit/notify.ts';
import { type EventInput, recordEvent } from '#lib/audit/record.ts';
import { actorIdOf } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Prisma, type Tx, withEmergencyTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { measureBlastRadius } from './blast-radius.ts';

/**
 * Why authority ends. Administrative causes freeze refresh families, so that a reinstatement needs nobody to sign in
 * again; compromise, reuse and a changed key or origin kill them, because what was copied stays copied.
 */
export const stopCauses = [
  'administrative',
  'compromise',
  'reuse',
  'key change',
  'origin change',
  'owner left',
] as const;
export type StopCause = (typeof stopCauses)[number];
const freezingCauses: readonly StopCause[] = ['administrative', 'owner left'];

export const stopAgentInput = z.strictObject({
  agentId: z.string(),
  cause: z.enum(stopCauses).default('administrative'),
  reason: z.string().trim().max(2000).default(''),
});
export type StopAgentInput = z.output<typeof stopAgentInput>;

export type StopReceipt = { revocationId: string; committedAt: string };

/** Suspends: the epoch rises, so every access token is dead, and the agent waits for a reviewed reinstatement. */
export function suspendAgent(ctx: Ctx, input: StopAgentInput): Promise<StopReceipt> {
  return stopAgent(ctx, input, 'suspend');
}

/** Revokes for good: as suspend, and bindings, refresh families and open requests end with it. */
export function revokeAgent(ctx: Ctx, input: StopAgentInput): Promise<StopReceipt> {
  return stopAgent(ctx, input, 'revoke');
}

/**
 * One click ends it. The owner may stop their own agent, an approver or admin any. Everything the agent holds ends in
 * one transaction together with its events and the entries its guards wait for; when this returns, it is durable.
 * Two stops at once: the second finds nothing left to do and says so.
 */
async function stopAgent(
  ctx: Ctx,
  input: StopAgentInput,
  effect: 'suspend' | 'revoke',
): Promise<StopReceipt> {
  if (ctx.actor.kind !== 'system') requirePerson(ctx);
  const requestedAt = ctx.clock.now();
  return withEmergencyTransaction(ctx, async (tx) => {
    const [agent] = await tx.$queryRaw<
      {
        id: string;
        ownerId: string;
        state: AgentState;
        epoch: number;
        nextEpoch: number;
        name: string;
      }[]
    >`
      SELECT id, owner_id AS "ownerId", state, epoch, name,
             -- After a restored backup the issuer's is past every epoch the lost time can have held.
             greatest(epoch + 1, (SELECT issuer_epoch FROM installation WHERE id = 1)) AS "nextEpoch"
        FROM agent WHERE id = ${input.agentId} FOR UPDATE`;
    if (!agent) throw new NotFound();
    if (
      ctx.actor.kind === 'person' &&
      agent.ownerId !== ctx.actor.personId &&
      !hasRole(ctx.actor, 'approver', 'admin')
    ) {
      // Who may not even see another owner's agent is told nothing about it.
      if (hasRole(ctx.actor, 'auditor'))
        throw new Forbidden('An auditor sees and does not stop. Ask an approver or the owner.');
      throw new NotFound();
    }
    if (!agentStatesBefore(effect).includes(agent.state)) {
      throw new Conflict(`This agent is already ${agent.state}.`, { state: agent.state });
    }
    const revocationId = newId('revocation');
    const blastRadius = await measureBlastRadius(tx, ctx, agent.id);
    const now = ctx.clock.now();
    const keepsFamilies = effect === 'suspend' && freezingCauses.includes(input.cause);
    const state = effect === 'suspend' ? 'suspended' : 'revoked';

    await tx.agent.update({
      where: { id: agent.id },
      data: {
        state,
        stateCause: input.cause,
        stateById: actorIdOf(ctx.actor),
        stateSince: now,
        epoch: agent.nextEpoch,
      },
    });
    const stopEvent = await recordEvent(tx, ctx, {
      kind: effect === 'suspend' ? 'agent.suspend' : 'agent.revoke',
      subjectId: agent.id,
      agentId: agent.id,
      parentIds: await lastBindings(tx, agent.id),
      reason: input.reason || input.cause,
      before: { state: agent.state, epoch: agent.epoch },
      after: { state, epoch: agent.nextEpoch },
      data: { revocationId, cause: input.cause, liveTokens: blastRadius?.liveTokens ?? 0 },
    });
    const cascade = await endWhatItHolds(tx, ctx, {
      agentId: agent.id,
      effect,
      keepsFamilies,
      now,
      stopEvent,
      input,
    });
    const agentFacts = await toAgentFacts(tx, agent.id);
    const serverIds = await serversOf(tx, agent.id);
    const sequences = await appendFeedEntry(
      tx,
      ctx,
      serverIds,
      { kind: 'agent.changed', agent: agentFacts },
      { subject: agent.id, revocationId },
    );
    await tx.revocation.create({
      data: {
        id: revocationId,
        effect,
        targetKind: 'agent',
        targetId: agent.id,
        cause: input.cause,
        reason: input.reason,
        actorKind: ctx.actor.kind,
        actorId: actorIdOf(ctx.actor),
        blastRadius: (blastRadius ?? {}) as Prisma.InputJsonValue,
        cascade: cascade as Prisma.InputJsonValue,
        sequences,
        requestedAt,
        committedAt: now,
        acks: { create: await guardsToAsk(tx, serverIds) },
      },
    });
    if (agent.ownerId !== actorIdOf(ctx.actor)) {
      await notify(tx, ctx, {
        personIds: [agent.ownerId],
        kind: `agent.${effect}`,
        title: `${agent.name} was ${state}`,
        body:
          effect === 'suspend'
            ? `Its calls are refused from now on. ${input.reason ? `Reason: ${input.reason}. ` : ''}To bring it back, file a reinstate request.`
            : `It has ended for good. ${input.reason ? `Reason: ${input.reason}. ` : ''}A new request can be filed for it.`,
        href: `/agents/${agent.id}`,
      });
    }
    await notifyChange(tx, 'agents', agent.id);
    await notifyChange(tx, 'revocations', revocationId);
    return { revocationId, committedAt: now.toISOString() };
  });
}

type Stop = {
  agentId: string;
  effect: 'suspend' | 'revoke';
  keepsFamilies: boolean;
  now: Date;
  stopEvent: string;
  input: StopAgentInput;
};

/** Ends tokens, families, sessions of clients, waiting browsers; on revoke also bindings, instances and open requests. */
async function endWhatItHolds(tx: Tx, ctx: Ctx, stop: Stop) {
  const { agentId, now, effect } = stop;
  const event = (input: Omit<EventInput, 'parentIds' | 'agentId'>) =>
    recordEvent(tx, ctx, { ...input, agentId, parentIds: [stop.stopEvent] });
  const families = stop.keepsFamilies
    ? await tx.refreshFamily.updateMany({ where: { agentId, state: 'live' }, data: { state: 'frozen' } })
    : await tx.refreshFamily.updateMany({
        where: { agentId, state: { in: ['live', 'frozen'] } },
        data: { state: 'ended', endCause: stop.input.cause, endedAt: now },
      });
  const ended = await tx.$queryRaw<{ id: string; serverId: string; clientId: string }[]>`
    UPDATE credential SET ended_at = ${now}, end_cause = 'revoked'
     WHERE agent_id = ${agentId} AND ended_at IS NULL AND expires_at > ${now}
     RETURNING id, server_id AS "serverId", client_id AS "clientId"`;
  for (const credential of ended) {
    await event({
      kind: 'credential.end',
      subjectId: credential.id,
      serverId: credential.serverId,
      clientId: credential.clientId,
      reason: 'revoked',
    });
  }
  const waiting = await tx.$queryRaw<{ id: string }[]>`
    UPDATE authorization_transaction t SET status = 'ended', end_cause = ${`agent ${effect}`}
      FROM instance i WHERE i.id = t.instance_id AND i.agent_id = ${agentId} AND t.status IN ('waiting', 'ready')
      RETURNING t.id`;
  await tx.$executeRaw`UPDATE authorization_code SET expires_at = ${now} WHERE agent_id = ${agentId} AND used_at IS NULL AND expires_at > ${now}`;
  const instances = await tx.instance.updateMany({
    where: {
      agentId,
      state: { in: instanceStatesBefore(effect) },
    },
    data: { state: effect === 'suspend' ? 'suspended' : 'revoked', stateSince: now },
  });
  await tx.reveal.updateMany({ where: { agentId, expiresAt: { gt: now } }, data: { expiresAt: now } });
  let bindings = 0;
  let requests = 0;
  if (effect === 'revoke') {
    const endedBindings = await tx.$queryRaw<{ id: string; serverId: string }[]>`
      UPDATE tool_binding SET ended_at = ${now}, end_cause = 'revoked' WHERE agent_id = ${agentId} AND ended_at IS NULL
      RETURNING id, server_id AS "serverId"`;
    bindings = endedBindings.length;
    for (const binding of endedBindings) {
      await event({
        kind: 'binding.end',
        subjectId: binding.id,
        serverId: binding.serverId,
        reason: 'revoked',
      });
      await appendFeedEntry(
        tx,
        ctx,
        [binding.serverId],
        { kind: 'binding.ended', bindingId: binding.id, cause: 'revoked' },
        { subject: binding.id },
      );
    }
    const open = await tx.$queryRaw<{ id: string }[]>`
      UPDATE registration_request SET state = 'expired', decided_at = ${now}, version = version + 1
       WHERE agent_id = ${agentId} AND state IN ('draft', 'submitted', 'changes requested') RETURNING id`;
    requests = open.length;
    for (const request of open) {
      await event({
        kind: 'request.expire',
        subjectId: request.id,
        requestRef: request.id,
        reason: 'The agent was revoked.',
      });
    }
  }
  return {
    tokens: ended.length,
    families: families.count,
    familiesKept: stop.keepsFamilies,
    instances: instances.count,
    waitingBrowsers: waiting.length,
    bindings,
    requests,
  };
}

/** Servers whose guards could meet a token of this agent: those of its bindings, live or ended within a token's life. */
async function serversOf(tx: Tx, agentId: string): Promise<string[]> {
  const rows = await tx.toolBinding.findMany({
    where: { agentId },
    distinct: ['serverId'],
    select: { serverId: true },
  });
  return rows.map((row) => row.serverId);
}

async function guardsToAsk(tx: Tx, serverIds: string[]): Promise<{ guardId: string }[]> {
  const guards = await tx.guard.findMany({
    where: { state: 'enrolled', serverIds: { hasSome: serverIds } },
    select: { id: true },
  });
  return guards.map((guard) => ({ guardId: guard.id }));
}

/** The events that bound the tools this stop takes away: where its chain began. */
async function lastBindings(tx: Tx, agentId: string): Promise<string[]> {
  const rows = await tx.$queryRaw<{ id: string }[]>`
    SELECT e.id FROM audit_event e JOIN tool_binding b ON b.id = e.subject_id
     WHERE e.kind = 'binding.create' AND b.agent_id = ${agentId} AND b.ended_at IS NULL ORDER BY e.id`;
  return rows.map((row) => row.id);
}
