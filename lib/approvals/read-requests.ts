import { z } from 'zod';
import { hasRole, requirePerson } from '#lib/access/require.ts';
import { visibleRequests } from '#lib/agents/visibility.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { diffSnapshots } from './diff.ts';
import { riskRank } from './risk.ts';
import { checkSeparation, describeConflict } from './separation.ts';
import { requestStates, reviewDueSeconds } from './states.ts';
import {
  currentVotes,
  findLastGranted,
  type LoadedRequest,
  loadMany,
  readDecider,
  readInvolvements,
  toAmbient,
} from './store.ts';
import type { QueueRow, RequestPage, RequestRow } from './views.ts';

export const listRequestsQuery = z.object({
  scope: z.enum(['mine', 'team', 'all']).default('all'),
  state: z.enum(requestStates as [string, ...string[]]).optional(),
  agentId: z.string().max(64).optional(),
  /** Words of the agent's name, or a number such as CS-12. */
  q: z.string().trim().max(100).optional(),
  cursor: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(25),
});
export type ListRequestsQuery = z.output<typeof listRequestsQuery>;

/** Requests the actor may see, newest first, a page at a time. `mine` are those they own or wrote. */
export async function listRequests(ctx: Ctx, query: ListRequestsQuery): Promise<RequestPage> {
  const person = requirePerson(ctx);
  const db = ctx.db.prisma;
  const where = {
    AND: [
      await visibleRequests(db, ctx),
      query.scope === 'mine' ? { OR: [{ ownerId: person.personId }, { createdById: person.personId }] } : {},
      query.scope === 'team' ? { NOT: { ownerId: person.personId } } : {},
      query.agentId ? { agentId: query.agentId } : {},
      searchFilter(query.q),
    ],
  };
  const stateFilter = query.state ? { state: query.state } : {};
  const rows = await loadMany(db, {
    where: { ...where, ...stateFilter, ...(query.cursor ? { id: { lt: query.cursor } } : {}) },
    orderBy: { id: 'desc' },
    take: query.limit + 1,
  });
  const groups = await db.registrationRequest.groupBy({ by: ['state'], where, _count: { _all: true } });
  const page = rows.slice(0, query.limit);
  return {
    items: await toRows(db, ctx, page),
    nextCursor: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null,
    counts: Object.fromEntries(groups.map((group) => [group.state, group._count._all])),
  };
}

function searchFilter(q: string | undefined) {
  if (!q) return {};
  const number = /^(?:cs-)?(\d{1,9})$/i.exec(q)?.[1];
  const byName = {
    agent: { name: { contains: q.replaceAll(/[\\%_]/g, '\\$&'), mode: 'insensitive' as const } },
  };
  return number ? { OR: [{ number: Number(number) }, byName] } : byName;
}

export type QueueView = 'waiting' | 'all' | 'decided';
/** More than this nobody reviews in a day; the oldest of what waits is always among them. */
const maxQueue = 200;

/**
 * The review queue. `waiting` is what the actor can decide now, `all` everything submitted (with the reason where they
 * cannot), `decided` what they voted on. Somebody waiting in a browser comes first, then what is overdue, then by risk
 * and age.
 */
export async function listQueue(ctx: Ctx, view: QueueView): Promise<QueueRow[]> {
  const person = requirePerson(ctx);
  if (!hasRole(ctx.actor, 'approver', 'auditor', 'admin')) return [];
  const db = ctx.db.prisma;
  const loaded =
    view === 'decided'
      ? await loadMany(db, {
          where: { votes: { some: { subject: person.subject } } },
          orderBy: { id: 'desc' },
          take: 100,
        })
      : await loadMany(db, {
          where: { state: 'submitted' },
          orderBy: { submittedAt: 'asc' },
          take: maxQueue,
        });
  const rows = await toRows(db, ctx, loaded);
  const involvements = await readInvolvements(db, loaded);
  const decider = await readDecider(db, person, ctx.clock.now());
  const queue: QueueRow[] = [];
  for (const [index, request] of loaded.entries()) {
    const row = rows[index];
    const involvement = involvements.get(request.id);
    if (!row || !involvement) continue;
    const separation = hasRole(ctx.actor, 'approver') ? checkSeparation(decider, involvement) : null;
    const last = request.kind === 'change' ? await findLastGranted(db, request.agentId, request.id) : null;
    const { snapshot } = request.revision;
    queue.push({
      ...row,
      conflict:
        separation === null
          ? 'Deciding needs the role approver.'
          : separation.ok
            ? null
            : describeConflict(separation.error),
      voted: involvement.votedSubjects.includes(person.subject),
      widens: last
        ? diffSnapshots(last.granted, snapshot).filter((line) => line.effect === 'widens').length
        : snapshot.tools.length,
      contradictions: snapshot.evidence.filter((fact) => fact.status === 'contradicted').length,
      verdict: toAmbient(request.revision.ambient).verdict.outcome,
    });
  }
  if (view === 'decided') return queue;
  const now = ctx.clock.now().toISOString();
  const shown = view === 'waiting' ? queue.filter((row) => row.conflict === null) : queue;
  return shown.sort((a, b) => compareUrgency(a, b, now));
}

/** How many requests wait for the actor's decision. */
export async function countWaiting(ctx: Ctx): Promise<number> {
  if (!hasRole(ctx.actor, 'approver')) return 0;
  // Every page asks; most of the time nothing waits, and one count says so.
  const submitted = await ctx.db.prisma.registrationRequest.count({ where: { state: 'submitted' } });
  return submitted === 0 ? 0 : (await listQueue(ctx, 'waiting')).length;
}

/** The numbers of the navigation: what waits for the actor's decision, and for their answer as an owner. */
export async function readBadges(ctx: Ctx): Promise<{ review: number; requests: number }> {
  const person = requirePerson(ctx);
  const requests = hasRole(ctx.actor, 'owner')
    ? await ctx.db.prisma.registrationRequest.count({
        where: { ownerId: person.personId, state: 'changes requested' },
      })
    : 0;
  return { review: await countWaiting(ctx), requests };
}

function compareUrgency(a: QueueRow, b: QueueRow, now: string): number {
  const live = Number(b.browserWaitsUntil !== null) - Number(a.browserWaitsUntil !== null);
  if (live !== 0) return live;
  const late = (row: QueueRow) => row.reviewDueAt !== null && row.reviewDueAt < now;
  const overdue = Number(late(b)) - Number(late(a));
  if (overdue !== 0) return overdue;
  return riskRank(b.risk) - riskRank(a.risk) || (a.submittedAt ?? '').localeCompare(b.submittedAt ?? '');
}

/** Rows of a list, with the names and waits that belong to them. */
export async function toRows(
  db: Tx,
  ctx: Pick<Ctx, 'clock'>,
  requests: readonly LoadedRequest[],
): Promise<RequestRow[]> {
  const now = ctx.clock.now();
  const waits = await db.authorizationTransaction.findMany({
    where: {
      requestId: { in: requests.filter((each) => each.state === 'submitted').map((each) => each.id) },
      status: 'waiting',
      deadlineAt: { gt: now },
    },
    select: { requestId: true, deadlineAt: true },
  });
  return requests.map((request): RequestRow => {
    const { snapshot } = request.revision;
    const wait = waits.find((each) => each.requestId === request.id);
    const approvals = currentVotes(request).filter((vote) => vote.verdict.startsWith('approve'));
    return {
      id: request.id,
      number: request.number,
      label: request.label,
      kind: request.kind,
      state: request.state,
      risk: request.risk as RequestRow['risk'],
      agentId: request.agentId,
      agentName: snapshot.agent.name,
      clientClass: snapshot.agent.clientClass,
      owner: { personId: request.ownerId, displayName: snapshot.owner.displayName },
      servers: [...new Set(snapshot.tools.map((tool) => tool.server))],
      toolCount: snapshot.tools.length,
      lifetimeSeconds: snapshot.lifetimeSeconds,
      revision: request.revision.number,
      createdAt: request.createdAt.toISOString(),
      submittedAt: request.submittedAt?.toISOString() ?? null,
      decidedAt: request.decidedAt?.toISOString() ?? null,
      expiresAt: request.expiresAt?.toISOString() ?? null,
      reviewDueAt:
        request.state === 'submitted' && request.submittedAt
          ? addSeconds(
              request.submittedAt,
              reviewDueSeconds[request.risk as RequestRow['risk']],
            ).toISOString()
          : null,
      votes: approvals.length,
      requiredApprovals: request.requiredApprovals,
      narrowed: request.state === 'approved' && approvals.at(-1)?.verdict === 'approve narrowed',
      browserWaitsUntil: wait?.deadlineAt.toISOString() ?? null,
    };
  });
}
