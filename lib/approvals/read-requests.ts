import { z } from 'zod';
import { hasRole, requirePerson } from '#lib/access/require.ts';
import type { Risk } from '#lib/agents/risk.ts';
import { visibleRequests } from '#lib/agents/visibility.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { queryText } from '#lib/platform/query-text.ts';
import { diffSnapshots } from './diff.ts';
import { findNarrowed, recentSeconds } from './read-decision-times.ts';
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
  agentId: queryText.max(64).optional(),
  decided: z.enum(['recently', 'narrowed']).optional().meta({
    description: 'Approved or rejected within four weeks; or of these, approved with less than was asked.',
  }),
  /** Words of the agent's name, or a number such as CS-12. */
  q: queryText.trim().max(100).optional(),
  cursor: queryText.max(64).optional(),
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
      await decidedFilter(ctx, query.decided),
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

async function decidedFilter(ctx: Ctx, decided: ListRequestsQuery['decided']) {
  if (!decided) return {};
  const since = addSeconds(ctx.clock.now(), -recentSeconds);
  if (decided === 'narrowed') return { id: { in: await findNarrowed(ctx, since) } };
  return {
    state: { in: ['approved', 'rejected'] },
    submittedAt: { not: null },
    decidedAt: { gt: since, lte: ctx.clock.now() },
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
/** More than this nobody reviews in a day. What is left out is less urgent than all of it. */
export const queueLimit = 200;

/**
 * The review queue. `waiting` is what the actor can decide now, `all` everything submitted (with the reason where they
 * cannot), `decided` what they voted on. Somebody waiting in a browser comes first, then what is overdue, then by risk
 * and age; at most `limit` rows, the most urgent ones.
 */
export async function listQueue(ctx: Ctx, view: QueueView, limit = queueLimit): Promise<QueueRow[]> {
  const person = requirePerson(ctx);
  if (!hasRole(ctx.actor, 'approver', 'auditor', 'admin')) return [];
  const db = ctx.db.prisma;
  if (view === 'decided') {
    const decided = await loadMany(db, {
      where: { votes: { some: { subject: person.subject } } },
      orderBy: { id: 'desc' },
      take: 100,
    });
    return toQueueRows(ctx, person, decided);
  }
  const queue: QueueRow[] = [];
  const ids = await listByUrgency(ctx);
  // A batch may hold requests the actor cannot decide: the next ones take their places.
  for (let from = 0; from < ids.length && queue.length < limit; from += limit) {
    const batch = ids.slice(from, from + limit);
    const loaded = await loadMany(db, { where: { id: { in: batch }, state: 'submitted' } });
    loaded.sort((a, b) => batch.indexOf(a.id) - batch.indexOf(b.id));
    const rows = await toQueueRows(ctx, person, loaded);
    queue.push(...(view === 'waiting' ? rows.filter((row) => row.conflict === null) : rows));
  }
  return queue.slice(0, limit);
}

/**
 * Everything submitted, the most urgent first. The database sorts, so that a limit never cuts off somebody who waits
 * in a browser because older requests are many.
 */
async function listByUrgency(ctx: Ctx): Promise<string[]> {
  const now = ctx.clock.now();
  const dueBefore = (risk: Risk) => addSeconds(now, -reviewDueSeconds[risk]);
  const rows = await ctx.db.prisma.$queryRaw<{ id: string }[]>`
    SELECT r.id FROM registration_request r
     WHERE r.state = 'submitted'
     ORDER BY EXISTS (
                SELECT 1 FROM authorization_transaction t
                 WHERE t.request_id = r.id AND t.status = 'waiting' AND t.deadline_at > ${now}
              ) DESC,
              COALESCE(r.submitted_at < CASE r.risk
                WHEN 'high' THEN ${dueBefore('high')}::timestamptz
                WHEN 'medium' THEN ${dueBefore('medium')}::timestamptz
                ELSE ${dueBefore('low')}::timestamptz
              END, false) DESC,
              CASE r.risk WHEN 'high' THEN 2 WHEN 'medium' THEN 1 ELSE 0 END DESC,
              r.submitted_at, r.id`;
  return rows.map((row) => row.id);
}

/** Requests as the queue shows them to this person, in the order given. */
async function toQueueRows(
  ctx: Ctx,
  person: PersonActor,
  requests: readonly LoadedRequest[],
): Promise<QueueRow[]> {
  const db = ctx.db.prisma;
  const rows = await toRows(db, ctx, requests);
  const involvements = await readInvolvements(db, requests);
  const decider = await readDecider(db, person, ctx.clock.now());
  const queue: QueueRow[] = [];
  for (const [index, request] of requests.entries()) {
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
  return queue;
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
