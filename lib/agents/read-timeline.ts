import { z } from 'zod';
import { requirePerson } from '#lib/access/require.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { queryDay } from '#lib/platform/query-text.ts';
import { type LifelineEntry, readLifeline } from './read-lifeline.ts';
import { visibleAgents } from './visibility.ts';

const daySeconds = 24 * 3600;

export const timelineQuery = z.object({ from: queryDay.optional(), to: queryDay.optional() });
export type TimelineQuery = z.output<typeof timelineQuery>;

export type Span = { from: string; to: string | null };
export type StateSpan = Span & { state: string; eventId: string | null };
export type BindingSpan = Span & {
  id: string;
  server: string;
  version: number;
  tools: string[];
  /** Why it ended; null while it holds. */
  endCause: string | null;
  requestId: string;
  requestLabel: string;
};
export type RequestPoint = {
  id: string;
  label: string;
  kind: string;
  state: string;
  submittedAt: string | null;
  decidedAt: string | null;
};

export type AgentTimeline = {
  agent: { id: string; name: string; state: string };
  /** The days that are shown, first to last; the whole life unless narrowed. */
  from: string;
  to: string;
  /** Its whole life: from when it was asked for until it ended for good, or now. */
  life: { from: string; to: string; over: boolean };
  states: StateSpan[];
  bindings: BindingSpan[];
  requests: RequestPoint[];
  /** Tokens and secrets minted on each day that had any. */
  minted: { date: string; count: number }[];
  entries: LifelineEntry[];
  /** More happened than is told here. */
  more: boolean;
};

const becomes: Record<string, string> = {
  'agent.activate': 'active',
  'agent.suspend': 'suspended',
  'agent.reinstate': 'active',
  'agent.revoke': 'revoked',
  'agent.expire': 'expired',
};
const over: readonly string[] = ['revoked', 'expired'];
const mostBindings = 60;
const mostRequests = 100;
const mostMoves = 500;
const mostEntries = 200;

/** An agent's whole life to look at: its states, what it held when, who asked and decided, and how much was minted. */
export async function readTimeline(ctx: Ctx, agentId: string, query: TimelineQuery): Promise<AgentTimeline> {
  requirePerson(ctx);
  const db = ctx.db.prisma;
  const agent = await db.agent.findFirst({
    where: { AND: [{ id: agentId }, await visibleAgents(db, ctx)] },
    select: { id: true, name: true, state: true, createdAt: true, stateSince: true },
  });
  if (!agent) throw new NotFound();
  const now = ctx.clock.now();
  const isOver = over.includes(agent.state);
  const lifeEnd = isOver ? agent.stateSince : now;
  const from = query.from ? new Date(`${query.from}T00:00:00Z`) : agent.createdAt;
  const to = query.to ? addSeconds(new Date(`${query.to}T00:00:00Z`), daySeconds) : lifeEnd;
  const [moves, bindings, requests, minted, entries] = await Promise.all([
    db.auditEvent.findMany({
      where: { subjectId: agentId, kind: { in: Object.keys(becomes) }, outcome: 'done' },
      orderBy: [{ at: 'asc' }, { id: 'asc' }],
      take: mostMoves,
      select: { id: true, at: true, kind: true },
    }),
    db.toolBinding.findMany({
      where: { agentId },
      orderBy: { version: 'desc' },
      take: mostBindings,
      include: { server: { select: { name: true } } },
    }),
    db.registrationRequest.findMany({
      where: { agentId },
      orderBy: { id: 'desc' },
      take: mostRequests,
      select: { id: true, number: true, kind: true, state: true, submittedAt: true, decidedAt: true },
    }),
    db.$queryRawUnsafe<{ date: string; count: number }[]>(
      `SELECT to_char(issued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS date, count(*)::int AS count
         FROM credential WHERE agent_id = $1 AND issued_at >= $2 AND issued_at < $3 GROUP BY 1 ORDER BY 1`,
      agentId,
      from,
      query.to ? to : addSeconds(to, 1),
    ),
    readLifeline(ctx, agentId, {
      ...(query.from ? { from } : {}),
      ...(query.to ? { to } : {}),
      mostEntries: mostEntries + 1,
    }),
  ]);
  const labels = new Map(requests.map((request) => [request.id, `CS-${request.number}`]));
  return {
    agent: { id: agent.id, name: agent.name, state: agent.state },
    from: from.toISOString(),
    to: to.toISOString(),
    life: { from: agent.createdAt.toISOString(), to: lifeEnd.toISOString(), over: isOver },
    states: toStates(agent.createdAt, moves),
    bindings: bindings.map((binding) => {
      const end = binding.endedAt ?? (binding.firstIssuedAt ? binding.expiresAt : binding.unusedEndsAt);
      return {
        id: binding.id,
        server: binding.server.name,
        version: binding.version,
        tools: binding.toolNames,
        from: binding.validFrom.toISOString(),
        to: end?.toISOString() ?? null,
        endCause:
          binding.endCause ?? (end && end <= now ? (binding.firstIssuedAt ? 'expired' : 'never used') : null),
        requestId: binding.requestId,
        requestLabel: labels.get(binding.requestId) ?? '',
      };
    }),
    requests: requests.map((request) => ({
      id: request.id,
      label: `CS-${request.number}`,
      kind: request.kind,
      state: request.state,
      submittedAt: request.submittedAt?.toISOString() ?? null,
      decidedAt: request.decidedAt?.toISOString() ?? null,
    })),
    minted,
    entries: entries.slice(0, mostEntries),
    more: entries.length > mostEntries,
  };
}

/** Its states one after the other, by the events that moved it; a terminal one has no end. */
function toStates(createdAt: Date, moves: readonly { id: string; at: Date; kind: string }[]): StateSpan[] {
  const spans: StateSpan[] = [{ state: 'pending', from: createdAt.toISOString(), to: null, eventId: null }];
  for (const move of moves) {
    const state = becomes[move.kind];
    const last = spans.at(-1);
    if (!state || !last || last.state === state) continue;
    last.to = move.at.toISOString();
    spans.push({ state, from: last.to, to: null, eventId: move.id });
  }
  return spans;
}
