import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx } from '#lib/platform/db.ts';
import { Conflict } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { toAgentFacts } from './agent-facts.ts';
import { appendFeedEntry } from './feed.ts';
import { toBindingFacts } from './publish-server-change.ts';
import type { Snapshot, SnapshotTool } from './snapshot.ts';

/** An approval nobody used within a week ends: what waits that long was not needed, or needs another look. */
export const unusedApprovalSeconds = 7 * 24 * 3600;

export type Activation = {
  agentId: string;
  requestId: string;
  revisionId: string;
  granted: Snapshot;
  grantedDigest: string;
  /** Event of the decision. */
  parentEventId: string;
};

export type ActivatedBinding = { id: string; serverId: string; version: number; toolNames: string[] };

/**
 * Puts an approved snapshot into effect, inside the transaction of the decision: activates the instances it lists and
 * the agent, ends the bindings it replaces and creates one per server, each with its event, and tells the guards of
 * every server concerned. The request itself is approved by the caller before, since the purpose guards are told is
 * the approved one. Conditional on the states it read: `Conflict` when the agent or an instance ended meanwhile,
 * so a revoke that came first wins.
 */
export async function activateAgent(tx: Tx, ctx: Ctx, input: Activation): Promise<ActivatedBinding[]> {
  const { agentId, granted } = input;
  const now = ctx.clock.now();
  const agent = await tx.agent.findUniqueOrThrow({ where: { id: agentId } });
  if (agent.state !== 'pending' && agent.state !== 'active') {
    throw new Conflict(`The agent is ${agent.state}; nothing can be approved for it now.`, {
      agentState: agent.state,
    });
  }
  const activatedInstanceIds = await activateInstances(tx, ctx, input);

  const groups = Map.groupBy(granted.tools, (tool) => tool.serverId);
  const replaced = await tx.toolBinding.findMany({
    where: { agentId, endedAt: null },
    orderBy: { version: 'asc' },
  });
  const lastBindingVersion = agent.lastBindingVersion + groups.size;
  const { count } = await tx.agent.updateMany({
    where: {
      id: agentId,
      state: agent.state,
      epoch: agent.epoch,
      lastBindingVersion: agent.lastBindingVersion,
    },
    data: {
      lastBindingVersion,
      name: granted.agent.name,
      deputyId: granted.deputy?.personId ?? null,
      ...(agent.state === 'pending'
        ? { state: 'active', stateSince: now, stateCause: null, stateById: null }
        : {}),
    },
  });
  if (count === 0) throw new Conflict('The agent changed while this was being decided. Look again.');
  if (agent.state === 'pending') {
    await recordEvent(tx, ctx, {
      kind: 'agent.activate',
      subjectId: agentId,
      agentId,
      requestRef: input.requestId,
      parentIds: [input.parentEventId],
      before: { state: agent.state },
      after: { state: 'active' },
      data: { instanceIds: activatedInstanceIds },
    });
  }

  // Every server's head is locked by this first fact, in order; what follows takes no further lock.
  const servers = [...groups.keys(), ...replaced.map((binding) => binding.serverId)];
  const facts = await toAgentFacts(tx, agentId);
  await appendFeedEntry(tx, ctx, servers, { kind: 'agent.changed', agent: facts }, { subject: agentId });

  for (const binding of replaced) {
    await tx.toolBinding.update({
      where: { id: binding.id },
      data: { endedAt: now, endCause: 'superseded' },
    });
    await recordEvent(tx, ctx, {
      kind: 'binding.end',
      subjectId: binding.id,
      agentId,
      serverId: binding.serverId,
      requestRef: input.requestId,
      parentIds: [input.parentEventId],
      reason: 'superseded',
      before: { version: binding.version, tools: binding.toolNames },
    });
    await appendFeedEntry(
      tx,
      ctx,
      [binding.serverId],
      { kind: 'binding.ended', bindingId: binding.id, cause: 'superseded' },
      { subject: binding.id },
    );
  }

  const bindings: ActivatedBinding[] = [];
  let version = agent.lastBindingVersion;
  for (const [serverId, tools] of groups) {
    version += 1;
    const row = {
      id: newId('binding'),
      agentId,
      serverId,
      version,
      requestId: input.requestId,
      revisionId: input.revisionId,
      grantedDigest: input.grantedDigest,
      toolNames: tools.map((tool) => tool.name),
      toolVersionIds: tools.map((tool) => tool.toolVersionId),
      toolSetVersionIds: [...new Set(tools.flatMap((tool) => tool.toolSetVersionId ?? []))],
      constraints: constraintsByName(tools),
      lifetimeSeconds: granted.lifetimeSeconds,
      validFrom: now,
      unusedEndsAt: addSeconds(now, unusedApprovalSeconds),
      supersedesId: replaced.find((binding) => binding.serverId === serverId)?.id ?? null,
    };
    await tx.toolBinding.create({ data: row });
    await recordEvent(tx, ctx, {
      kind: 'binding.create',
      subjectId: row.id,
      agentId,
      serverId,
      requestRef: input.requestId,
      parentIds: [input.parentEventId],
      after: {
        version,
        tools: row.toolNames,
        lifetimeSeconds: row.lifetimeSeconds,
        grantedDigest: row.grantedDigest,
        supersedes: row.supersedesId,
      },
    });
    await appendFeedEntry(
      tx,
      ctx,
      [serverId],
      { kind: 'binding.changed', binding: await toBindingFacts(tx, { ...row, expiresAt: null }) },
      { subject: row.id },
    );
    bindings.push({ id: row.id, serverId, version, toolNames: row.toolNames });
  }
  await notifyChange(tx, 'agents', agentId);
  return bindings;
}

/** Activates the quarantined instances of the snapshot; one that ended meanwhile stops the whole decision. */
async function activateInstances(tx: Tx, ctx: Ctx, input: Activation): Promise<string[]> {
  const ids = input.granted.instances.map((instance) => instance.instanceId);
  const instances = await tx.instance.findMany({ where: { id: { in: ids } } });
  const ended = instances.find(({ state }) => state !== 'quarantined' && state !== 'active');
  if (ended || instances.length !== ids.length) {
    throw new Conflict(
      `A client of this request is ${ended?.state ?? 'gone'}; it has to be asked for again.`,
      {
        instanceId: ended?.id ?? null,
      },
    );
  }
  const waiting = instances.filter(({ state }) => state === 'quarantined').map(({ id }) => id);
  if (waiting.length === 0) return [];
  const { count } = await tx.instance.updateMany({
    where: { id: { in: waiting }, state: 'quarantined', agentId: input.agentId },
    data: { state: 'active', stateCause: null, stateSince: ctx.clock.now(), quarantineEndsAt: null },
  });
  if (count !== waiting.length)
    throw new Conflict('A client changed while this was being decided. Look again.');
  return waiting;
}

function constraintsByName(tools: readonly SnapshotTool[]): Record<string, SnapshotTool['constraints']> {
  return Object.fromEntries(
    tools.filter((tool) => tool.constraints.length > 0).map((tool) => [tool.name, tool.constraints]),
  );
}
