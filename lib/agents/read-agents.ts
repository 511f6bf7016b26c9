import { z } from 'zod';
import { hasRole, requirePerson } from '#lib/access/require.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';
import { queryText } from '#lib/platform/query-text.ts';
import { agentFilter, agentFilterFields } from './agent-filter.ts';
import { purposeSchema } from './purpose.ts';
import { constraintSchema, parseSnapshot } from './snapshot.ts';
import { agentStates, bindingStateAt } from './states.ts';
import { visibleAgents } from './visibility.ts';

const instant = z.string();
const person = z.object({ personId: z.string(), displayName: z.string() });
const agentState = z.enum(['pending', 'active', 'suspended', 'revoked', 'expired']);

export const agentRowSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    state: agentState,
    stateCause: z.string().nullable(),
    stateSince: instant,
    clientClass: z.string(),
    environment: z.string(),
    owner: person,
    deputy: person.nullable(),
    servers: z.array(z.string()),
    toolCount: z.int(),
    risk: z.enum(['low', 'medium', 'high']).nullable(),
    clients: z.int(),
    createdAt: instant,
    lastUsedAt: instant.nullable(),
    /** When the first of its live bindings ends; null while no clock runs. */
    endsAt: instant.nullable(),
  })
  .meta({ id: 'AgentRow' });
export type AgentRow = z.output<typeof agentRowSchema>;

export const agentPageSchema = z.object({
  items: z.array(agentRowSchema),
  nextCursor: z.string().nullable(),
  counts: z.record(z.string(), z.int()),
});
export type AgentPage = z.output<typeof agentPageSchema>;

export const bindingViewSchema = z
  .object({
    id: z.string(),
    serverId: z.string(),
    server: z.string(),
    resource: z.string(),
    version: z.int(),
    state: z.enum(['active', 'ended']),
    tools: z.array(
      z.object({
        name: z.string(),
        class: z.string(),
        risk: z.string(),
        constraints: z.array(constraintSchema),
      }),
    ),
    lifetimeSeconds: z.int(),
    requestId: z.string(),
    requestLabel: z.string(),
    validFrom: instant,
    firstIssuedAt: instant.nullable(),
    expiresAt: instant.nullable(),
    unusedEndsAt: instant,
    endedAt: instant.nullable(),
    endCause: z.string().nullable(),
  })
  .meta({ id: 'Binding' });

export const agentDetailSchema = agentRowSchema
  .extend({
    softwareIdentity: z.string(),
    softwareIdentityKind: z.string(),
    epoch: z.int(),
    stateBy: person.nullable(),
    purpose: purposeSchema.nullable(),
    bindings: z.array(bindingViewSchema),
    instances: z.array(
      z.object({
        id: z.string(),
        clientId: z.string(),
        clientName: z.string(),
        clientKind: z.string(),
        state: z.string(),
        stateCause: z.string().nullable(),
        stateSince: instant,
        redirectUris: z.array(z.string()),
      }),
    ),
    requests: z.array(
      z.object({
        id: z.string(),
        label: z.string(),
        kind: z.string(),
        state: z.string(),
        createdAt: instant,
        decidedAt: instant.nullable(),
      }),
    ),
    /** Rights of the owner's page that still wait: where a token can be revealed, and until when. */
    reveals: z.array(z.object({ id: z.string(), serverId: z.string(), expiresAt: instant })),
    can: z.object({ change: z.boolean(), reinstate: z.boolean(), stop: z.boolean() }),
  })
  .meta({ id: 'Agent' });
export type AgentDetail = z.output<typeof agentDetailSchema>;

export const listAgentsQuery = z.object({
  scope: z.enum(['mine', 'team', 'all']).default('all'),
  state: z.enum(agentStates as [string, ...string[]]).optional(),
  q: queryText.trim().max(100).optional(),
  ...agentFilterFields,
  cursor: queryText.max(64).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(25),
});

const withParts = {
  bindings: { include: { server: { select: { name: true, resource: true } } }, orderBy: { version: 'desc' } },
  instances: { select: { id: true, state: true } },
} as const;

/** Agents the actor may see, newest first, a page at a time. */
export async function listAgents(ctx: Ctx, query: z.output<typeof listAgentsQuery>): Promise<AgentPage> {
  const viewer = requirePerson(ctx);
  const db = ctx.db.prisma;
  const where = {
    AND: [
      await visibleAgents(db, ctx),
      query.scope === 'mine' ? { ownerId: viewer.personId } : {},
      query.scope === 'team' ? { NOT: { ownerId: viewer.personId } } : {},
      agentFilter(query, ctx.clock.now()),
      query.q
        ? { name: { contains: query.q.replaceAll(/[\\%_]/g, '\\$&'), mode: 'insensitive' as const } }
        : {},
    ],
  };
  const rows = await db.agent.findMany({
    where: {
      ...where,
      ...(query.state ? { state: query.state } : {}),
      ...(query.cursor ? { id: { lt: query.cursor } } : {}),
    },
    orderBy: { id: 'desc' },
    take: query.limit + 1,
    include: withParts,
  });
  const groups = await db.agent.groupBy({ by: ['state'], where, _count: { _all: true } });
  const page = rows.slice(0, query.limit);
  return {
    items: await toRows(ctx, page),
    nextCursor: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null,
    counts: Object.fromEntries(groups.map((group) => [group.state, group._count._all])),
  };
}

/** One agent with what it holds, through which clients, and by which decisions. Throws `NotFound`. */
export async function getAgent(ctx: Ctx, agentId: string): Promise<AgentDetail> {
  const viewer = requirePerson(ctx);
  const db = ctx.db.prisma;
  const agent = await db.agent.findFirst({
    where: { AND: [{ id: agentId }, await visibleAgents(db, ctx)] },
    include: withParts,
  });
  if (!agent) throw new NotFound();
  const now = ctx.clock.now();
  const [row] = await toRows(ctx, [agent]);
  if (!row) throw new NotFound();
  const instances = await db.instance.findMany({
    where: { agentId },
    orderBy: { createdAt: 'desc' },
    take: 50,
    include: { client: { select: { name: true, kind: true, redirectUris: true } } },
  });
  const requests = await db.registrationRequest.findMany({
    where: { agentId },
    orderBy: { id: 'desc' },
    take: 50,
    select: { id: true, number: true, kind: true, state: true, createdAt: true, decidedAt: true },
  });
  const labels = new Map(requests.map((request) => [request.id, `CS-${request.number}`]));
  const versions = await db.toolVersion.findMany({
    where: { id: { in: agent.bindings.flatMap((binding) => binding.toolVersionIds) } },
    select: { id: true, class: true, risk: true, tool: { select: { name: true } } },
  });
  const newest = agent.bindings[0];
  const revision = newest
    ? await db.requestRevision.findUnique({ where: { id: newest.revisionId }, select: { snapshot: true } })
    : null;
  const stateBy = agent.stateById
    ? await db.person.findUnique({ where: { id: agent.stateById }, select: { id: true, displayName: true } })
    : null;
  const isOwner = viewer.personId === agent.ownerId || viewer.personId === agent.deputyId;
  const reveals =
    viewer.personId === agent.ownerId
      ? await db.reveal.findMany({
          where: { agentId, expiresAt: { gt: now } },
          orderBy: { createdAt: 'desc' },
        })
      : [];
  return {
    ...row,
    softwareIdentity: agent.softwareIdentity,
    softwareIdentityKind: agent.softwareIdentityKind,
    epoch: agent.epoch,
    stateBy: stateBy && { personId: stateBy.id, displayName: stateBy.displayName },
    purpose: revision ? parseSnapshot(revision.snapshot).purpose : null,
    bindings: agent.bindings.map((binding) => {
      const constraints = (binding.constraints ?? {}) as Record<
        string,
        AgentDetail['bindings'][number]['tools'][number]['constraints']
      >;
      return {
        id: binding.id,
        serverId: binding.serverId,
        server: binding.server.name,
        resource: binding.server.resource,
        version: binding.version,
        state: bindingStateAt(binding, now),
        tools: binding.toolNames.map((name) => {
          const version = versions.find(
            (each) => each.tool.name === name && binding.toolVersionIds.includes(each.id),
          );
          return {
            name,
            class: version?.class ?? 'unclassified',
            risk: version?.risk ?? 'high',
            constraints: Object.hasOwn(constraints, name) ? (constraints[name] ?? []) : [],
          };
        }),
        lifetimeSeconds: binding.lifetimeSeconds,
        requestId: binding.requestId,
        requestLabel: labels.get(binding.requestId) ?? '',
        validFrom: binding.validFrom.toISOString(),
        firstIssuedAt: binding.firstIssuedAt?.toISOString() ?? null,
        expiresAt: binding.expiresAt?.toISOString() ?? null,
        unusedEndsAt: binding.unusedEndsAt.toISOString(),
        endedAt: binding.endedAt?.toISOString() ?? null,
        endCause: binding.endCause,
      };
    }),
    instances: instances.map((instance) => ({
      id: instance.id,
      clientId: instance.clientId,
      clientName: instance.client.name,
      clientKind: instance.client.kind,
      state: instance.state,
      stateCause: instance.stateCause,
      stateSince: instance.stateSince.toISOString(),
      redirectUris: instance.client.redirectUris,
    })),
    requests: requests.map((request) => ({
      id: request.id,
      label: `CS-${request.number}`,
      kind: request.kind,
      state: request.state,
      createdAt: request.createdAt.toISOString(),
      decidedAt: request.decidedAt?.toISOString() ?? null,
    })),
    reveals: reveals.map((reveal) => ({
      id: reveal.id,
      serverId: reveal.serverId,
      expiresAt: reveal.expiresAt.toISOString(),
    })),
    can: {
      change: isOwner && hasRole(ctx.actor, 'owner') && agent.state === 'active',
      reinstate: isOwner && hasRole(ctx.actor, 'owner') && agent.state === 'suspended',
      stop:
        ['active', 'suspended', 'pending'].includes(agent.state) &&
        (hasRole(ctx.actor, 'approver', 'admin') ||
          (viewer.personId === agent.ownerId && hasRole(ctx.actor, 'owner'))),
    },
  };
}

type AgentWithParts = {
  id: string;
  name: string;
  state: string;
  stateCause: string | null;
  stateSince: Date;
  clientClass: string;
  environment: string;
  ownerId: string;
  deputyId: string | null;
  createdAt: Date;
  lastUsedAt: Date | null;
  bindings: {
    endedAt: Date | null;
    expiresAt: Date | null;
    unusedEndsAt: Date;
    firstIssuedAt: Date | null;
    toolNames: string[];
    toolVersionIds: string[];
    server: { name: string };
  }[];
  instances: { state: string }[];
};

async function toRows(ctx: Ctx, agents: readonly AgentWithParts[]): Promise<AgentRow[]> {
  const db = ctx.db.prisma;
  const now = ctx.clock.now();
  const people = await db.person.findMany({
    where: {
      id: { in: [...new Set(agents.flatMap((agent) => [agent.ownerId, agent.deputyId ?? agent.ownerId]))] },
    },
    select: { id: true, displayName: true },
  });
  const nameOf = (personId: string) => people.find((each) => each.id === personId)?.displayName ?? '';
  const live = new Map(
    agents.map((agent) => [
      agent.id,
      agent.bindings.filter((binding) => bindingStateAt(binding, now) === 'active'),
    ]),
  );
  const versions = await db.toolVersion.findMany({
    where: { id: { in: [...live.values()].flat().flatMap((binding) => binding.toolVersionIds) } },
    select: { id: true, risk: true },
  });
  return agents.map((agent): AgentRow => {
    const bindings = live.get(agent.id) ?? [];
    const held = new Set(bindings.flatMap((binding) => binding.toolVersionIds));
    const risks = versions.filter((version) => held.has(version.id)).map((version) => version.risk);
    const ends = bindings.flatMap((binding) => (binding.expiresAt ? [binding.expiresAt.getTime()] : []));
    return {
      id: agent.id,
      name: agent.name,
      state: agent.state as AgentRow['state'],
      stateCause: agent.stateCause,
      stateSince: agent.stateSince.toISOString(),
      clientClass: agent.clientClass,
      environment: agent.environment,
      owner: { personId: agent.ownerId, displayName: nameOf(agent.ownerId) },
      deputy: agent.deputyId ? { personId: agent.deputyId, displayName: nameOf(agent.deputyId) } : null,
      servers: [...new Set(bindings.map((binding) => binding.server.name))],
      toolCount: bindings.reduce((count, binding) => count + binding.toolNames.length, 0),
      risk: (['high', 'medium', 'low'] as const).find((risk) => risks.includes(risk)) ?? null,
      clients: agent.instances.filter((each) => ['active', 'suspended', 'quarantined'].includes(each.state))
        .length,
      createdAt: agent.createdAt.toISOString(),
      lastUsedAt: agent.lastUsedAt?.toISOString() ?? null,
      endsAt: ends.length > 0 ? new Date(Math.min(...ends)).toISOString() : null,
    };
  });
}
