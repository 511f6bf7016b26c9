import { requirePerson } from '#lib/access/require.ts';
import { type EventKind, eventCatalogue } from '#lib/audit/catalogue.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { visibleAgents } from './visibility.ts';

export type Lane = 'registration' | 'decision' | 'binding' | 'credential' | 'call' | 'revocation' | 'agent';

export type LifelineEntry = {
  /** Of the newest event told by this entry. */
  eventId: string;
  lane: Lane;
  says: string;
  outcome: string;
  actor: string;
  reason: string;
  server: string | null;
  tools: string[];
  requestId: string | null;
  revocationId: string | null;
  at: string;
  /** Several alike in a row are told as one: how many, and when the first was. */
  count: number;
  since: string;
};

const lanes: Record<string, Lane> = {
  client: 'registration',
  instance: 'registration',
  request: 'decision',
  decision: 'decision',
  binding: 'binding',
  credential: 'credential',
  code: 'credential',
  family: 'credential',
  transaction: 'credential',
  guard: 'call',
  refusal: 'call',
  revocation: 'revocation',
};
const stops: readonly string[] = ['agent.suspend', 'agent.revoke', 'agent.reinstate', 'agent.expire'];
const actorWords: Record<string, string> = {
  client: 'Its client',
  system: 'Countersign',
  anonymous: 'Nobody signed in',
};
/** Alike ones in a row say the same: tokens of a busy agent would push its decisions out of sight. */
const collapsing: readonly Lane[] = ['credential', 'call'];
const mostEvents = 400;
const mostEntries = 80;

/** An agent's life as its history tells it, newest first: registration, decisions, bindings, credentials, calls, stops. */
export async function readLifeline(
  ctx: Ctx,
  agentId: string,
  options: { from?: Date; to?: Date; mostEntries?: number } = {},
): Promise<LifelineEntry[]> {
  requirePerson(ctx);
  const db = ctx.db.prisma;
  const agent = await db.agent.findFirst({
    where: { AND: [{ id: agentId }, await visibleAgents(db, ctx)] },
    select: { instances: { select: { clientId: true } } },
  });
  if (!agent) throw new NotFound();
  const clientIds = agent.instances.map((instance) => instance.clientId);
  const at = {
    ...(options.from ? { gte: options.from } : {}),
    ...(options.to ? { lt: options.to } : {}),
  };
  const select = {
    id: true,
    at: true,
    kind: true,
    outcome: true,
    actorKind: true,
    actorName: true,
    reason: true,
    serverId: true,
    tool: true,
    requestRef: true,
    data: true,
    after: true,
  } as const;
  const [own, registrations, servers] = await Promise.all([
    db.auditEvent.findMany({
      where: { agentId, at },
      orderBy: [{ at: 'desc' }, { id: 'desc' }],
      take: options.mostEntries ? mostEvents * 5 : mostEvents,
      select,
    }),
    db.auditEvent.findMany({
      where: { subjectId: { in: clientIds }, kind: 'client.register', agentId: null, at },
      orderBy: { at: 'desc' },
      take: 20,
      select,
    }),
    db.mcpServer.findMany({ select: { id: true, name: true } }),
  ]);
  const serverName = new Map(servers.map((server) => [server.id, server.name]));
  const entries: LifelineEntry[] = [];
  for (const event of [...own, ...registrations].sort(
    (a, b) => b.at.getTime() - a.at.getTime() || (a.id < b.id ? 1 : -1),
  )) {
    const entry = toEntry(event, serverName);
    const last = entries.at(-1);
    if (last && collapsing.includes(entry.lane) && isAlike(last, entry)) {
      last.count += 1;
      last.since = entry.at;
      last.tools = [...new Set([...last.tools, ...entry.tools])];
    } else if (entries.length < (options.mostEntries ?? mostEntries)) {
      entries.push(entry);
    }
  }
  return entries;
}

type EventRow = {
  id: string;
  at: Date;
  kind: string;
  outcome: string;
  actorKind: string;
  actorName: string;
  reason: string;
  serverId: string | null;
  tool: string | null;
  requestRef: string | null;
  data: unknown;
  after: unknown;
};

function toEntry(event: EventRow, serverName: ReadonlyMap<string, string>): LifelineEntry {
  const data = (event.data ?? {}) as { revocationId?: unknown };
  const after = (event.after ?? {}) as { tools?: unknown };
  const tools = Array.isArray(after.tools) ? after.tools.filter((tool) => typeof tool === 'string') : [];
  return {
    eventId: event.id,
    lane: laneOf(event.kind),
    says: Object.hasOwn(eventCatalogue, event.kind)
      ? eventCatalogue[event.kind as EventKind].says
      : event.kind,
    outcome: event.outcome,
    actor: event.actorName || (actorWords[event.actorKind] ?? event.actorKind),
    reason: event.reason,
    server: event.serverId ? (serverName.get(event.serverId) ?? event.serverId) : null,
    tools: event.tool ? [event.tool] : tools,
    requestId: event.requestRef,
    revocationId: typeof data.revocationId === 'string' ? data.revocationId : null,
    at: event.at.toISOString(),
    count: 1,
    since: event.at.toISOString(),
  };
}

function laneOf(kind: string): Lane {
  if (stops.includes(kind)) return 'revocation';
  return lanes[kind.split('.', 1)[0] ?? ''] ?? 'agent';
}

function isAlike(a: LifelineEntry, b: LifelineEntry): boolean {
  return a.says === b.says && a.outcome === b.outcome && a.server === b.server && a.reason === b.reason;
}
