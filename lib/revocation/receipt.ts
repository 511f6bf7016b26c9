import { maySeeOwnedBy } from '#lib/access/read-people.ts';
import { hasRole, requirePerson, requireSystem } from '#lib/access/require.ts';
import { insertEvents, recordEvent, toEventRow } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { NotFound } from '#lib/platform/errors.ts';
import type { BlastRadius } from './blast-radius.ts';

/** The second look: long enough after the commit that any mint it raced is on record. Seconds. */
export const sweepAfterSeconds = 3;

/**
 * Looks again after a stop: what was minted in the same instant is dead by its epoch already; here its row ends too,
 * so that no page counts it. Only then may the receipt close. Safe to run twice. Only a job of the installation.
 */
export async function sweepRevocation(ctx: Ctx, revocationId: string): Promise<void> {
  requireSystem(ctx);
  await withTransaction(ctx, async (tx) => {
    const revocation = await tx.revocation.findUnique({ where: { id: revocationId } });
    if (!revocation || revocation.sweptAt) return;
    const now = ctx.clock.now();
    const late = await endLate(tx, revocation, now);
    if (late.length > 0) {
      const rows = late.map((credential) =>
        toEventRow(ctx, {
          kind: 'credential.end',
          subjectId: credential.id,
          agentId: credential.agentId,
          serverId: credential.serverId,
          reason: 'revoked',
          data: { revocationId, foundBySweep: true },
        }),
      );
      await tx.$executeRawUnsafe(insertEvents('$1'), JSON.stringify(rows));
    }
    if (revocation.effect === 'revoke') {
      await tx.refreshFamily.updateMany({
        where: {
          OR: [{ agentId: revocation.targetId }, { serverId: revocation.targetId }],
          state: { in: ['live', 'frozen'] },
        },
        data: { state: 'ended', endCause: revocation.cause, endedAt: now },
      });
    }
    await tx.revocation.update({ where: { id: revocationId }, data: { sweptAt: now } });
    await notifyChange(tx, 'revocations', revocationId);
  });
  await closeReceipts(ctx, [revocationId]);
}

type LateCredential = { id: string; agentId: string; serverId: string };

/**
 * Ends what the stop has not reached. One statement a kind of target, so that each goes by its own index, and of what
 * can still be used only: a token that has expired needs no end, and a server's past holds millions of them.
 */
async function endLate(
  tx: Tx,
  { targetKind, targetId }: { targetKind: string; targetId: string },
  now: Date,
): Promise<LateCredential[]> {
  if (targetKind === 'server') {
    return tx.$queryRaw<LateCredential[]>`
      UPDATE credential SET ended_at = ${now}, end_cause = 'revoked'
       WHERE server_id = ${targetId} AND ended_at IS NULL AND expires_at > ${now} AND issued_at <= ${now}
       RETURNING id, agent_id AS "agentId", server_id AS "serverId"`;
  }
  return tx.$queryRaw<LateCredential[]>`
    UPDATE credential c SET ended_at = ${now}, end_cause = 'revoked' FROM agent a
     WHERE a.id = ${targetId} AND c.agent_id = a.id AND c.epoch < a.epoch
       AND c.ended_at IS NULL AND c.expires_at > ${now}
     RETURNING c.id, c.agent_id AS "agentId", c.server_id AS "serverId"`;
}

/** Revocations whose second look is due, longest waiting first. */
export async function listDueSweeps(ctx: Ctx): Promise<string[]> {
  const dueBefore = new Date(ctx.clock.now().getTime() - sweepAfterSeconds * 1000);
  const rows = await ctx.db.prisma.revocation.findMany({
    where: { sweptAt: null, committedAt: { lte: dueBefore } },
    orderBy: [{ committedAt: 'asc' }, { id: 'asc' }],
    select: { id: true },
    take: 100,
  });
  return rows.map((row) => row.id);
}

/**
 * Takes the second look wherever it is due. One that fails is told to `failed` and is due again; it keeps none of the
 * others waiting. Only a job of the installation.
 */
export async function sweepDue(
  ctx: Ctx,
  failed: (error: unknown, revocationId: string) => void,
): Promise<void> {
  requireSystem(ctx);
  for (const id of await listDueSweeps(ctx)) {
    try {
      await sweepRevocation(ctx, id);
    } catch (error) {
      failed(error, id);
    }
  }
}

/**
 * Closes receipts that are swept and acknowledged by every guard asked; the others stay open and say who is missing.
 *
 * @anonymous Nobody's right is needed: it follows from facts already on record, whoever completed them.
 */
export async function closeReceipts(ctx: Ctx, revocationIds: readonly string[]): Promise<void> {
  await withTransaction(ctx, async (tx) => {
    for (const id of revocationIds) {
      const revocation = await tx.revocation.findUnique({ where: { id }, include: { acks: true } });
      if (!revocation || revocation.closedAt || !revocation.sweptAt) continue;
      if (revocation.acks.some((ack) => ack.acknowledgedAt === null)) continue;
      await tx.revocation.update({ where: { id }, data: { closedAt: ctx.clock.now() } });
      await recordEvent(tx, ctx, {
        kind: 'revocation.close',
        subjectId: id,
        ...(revocation.targetKind === 'server'
          ? { serverId: revocation.targetId }
          : { agentId: revocation.targetId }),
        data: { guards: revocation.acks.length, slowestMs: slowestAckMs(revocation) },
      });
      await notifyChange(tx, 'revocations', id);
    }
  });
}

type WithAcks = { committedAt: Date; acks: { acknowledgedAt: Date | null }[] };

function slowestAckMs(revocation: WithAcks): number | null {
  const times = revocation.acks.flatMap((ack) =>
    ack.acknowledgedAt ? [ack.acknowledgedAt.getTime() - revocation.committedAt.getTime()] : [],
  );
  return times.length > 0 ? Math.max(...times) : null;
}

export type Receipt = {
  id: string;
  effect: 'suspend' | 'revoke';
  target: { kind: string; id: string; name: string };
  cause: string;
  reason: string;
  actorName: string;
  requestedAt: Date;
  committedAt: Date;
  sweptAt: Date | null;
  closedAt: Date | null;
  blastRadius: BlastRadius;
  cascade: {
    tokens: number;
    families: number;
    familiesKept: boolean;
    instances: number;
    waitingBrowsers: number;
    bindings: number;
    requests: number;
  };
  guards: {
    guardId: string;
    name: string;
    /** asked: not heard back yet; unreachable: not heard from within its lease, so it refuses everything anyway. */
    status: 'acknowledged' | 'asked' | 'unreachable' | 'revoked';
    acknowledgedAt: Date | null;
    acknowledgedAfterMs: number | null;
    lastAcceptedAt: Date | null;
    firstRefusedAt: Date | null;
    firstRefusedAfterMs: number | null;
    lastSeenAt: Date | null;
  }[];
};

const leaseMs = 5_000;

/** The receipt of one stop. Visible to the agent's owner, approvers, auditors and admins; otherwise `NotFound`. */
export async function readReceipt(ctx: Ctx, revocationId: string): Promise<Receipt> {
  requirePerson(ctx);
  const { prisma } = ctx.db;
  const revocation = await prisma.revocation.findUnique({
    where: { id: revocationId },
    include: { acks: true },
  });
  if (!revocation) throw new NotFound();
  const agent = await prisma.agent.findUnique({
    where: { id: revocation.targetId },
    select: { name: true, ownerId: true },
  });
  if (!(await maySeeOwnedBy(ctx, agent?.ownerId ?? ''))) throw new NotFound();
  const server =
    revocation.targetKind === 'server'
      ? await prisma.mcpServer.findUnique({ where: { id: revocation.targetId }, select: { name: true } })
      : null;
  const guards = await prisma.guard.findMany({
    where: { id: { in: revocation.acks.map((ack) => ack.guardId) } },
  });
  const guardOf = new Map(guards.map((guard) => [guard.id, guard]));
  const committedMs = revocation.committedAt.getTime();
  const after = (instant: Date | null) => (instant ? Math.max(0, instant.getTime() - committedMs) : null);
  const now = ctx.clock.now().getTime();
  return {
    id: revocation.id,
    effect: revocation.effect as Receipt['effect'],
    target: {
      kind: revocation.targetKind,
      id: revocation.targetId,
      name: agent?.name ?? server?.name ?? revocation.targetId,
    },
    cause: revocation.cause,
    reason: revocation.reason,
    actorName: await actorNameOf(ctx.db.prisma, revocation),
    requestedAt: revocation.requestedAt,
    committedAt: revocation.committedAt,
    sweptAt: revocation.sweptAt,
    closedAt: revocation.closedAt,
    blastRadius: revocation.blastRadius as unknown as BlastRadius,
    cascade: revocation.cascade as Receipt['cascade'],
    guards: revocation.acks.map((ack) => {
      const guard = guardOf.get(ack.guardId);
      const silent = !guard?.lastSeenAt || now - guard.lastSeenAt.getTime() > leaseMs;
      return {
        guardId: ack.guardId,
        name: guard?.name ?? ack.guardId,
        status: ack.acknowledgedAt
          ? 'acknowledged'
          : guard?.state === 'revoked'
            ? 'revoked'
            : silent
              ? 'unreachable'
              : 'asked',
        acknowledgedAt: ack.acknowledgedAt,
        acknowledgedAfterMs: after(ack.acknowledgedAt),
        lastAcceptedAt: ack.lastAcceptedAt,
        firstRefusedAt: ack.firstRefusedAt,
        firstRefusedAfterMs: after(ack.firstRefusedAt),
        lastSeenAt: guard?.lastSeenAt ?? null,
      };
    }),
  };
}

async function actorNameOf(
  prisma: Pick<Tx, 'person'>,
  revocation: { actorKind: string; actorId: string | null },
) {
  if (revocation.actorKind !== 'person' || !revocation.actorId) return 'Countersign';
  const person = await prisma.person.findUnique({
    where: { id: revocation.actorId },
    select: { displayName: true },
  });
  return person?.displayName ?? revocation.actorId;
}

/** Revocations the person may see, newest first. */
export async function listReceipts(ctx: Ctx, query: { agentId?: string; take?: number } = {}) {
  const person = requirePerson(ctx);
  const all = hasRole(person, 'approver', 'auditor', 'admin');
  const own = all
    ? null
    : (await ctx.db.prisma.agent.findMany({ where: { ownerId: person.personId }, select: { id: true } })).map(
        (row) => row.id,
      );
  return ctx.db.prisma.revocation.findMany({
    where: {
      ...(query.agentId ? { targetId: query.agentId } : {}),
      ...(own ? { AND: { targetId: { in: own } } } : {}),
    },
    orderBy: { committedAt: 'desc' },
    take: Math.min(query.take ?? 50, 200),
    select: {
      id: true,
      effect: true,
      targetId: true,
      cause: true,
      reason: true,
      committedAt: true,
      sweptAt: true,
      closedAt: true,
    },
  });
}
