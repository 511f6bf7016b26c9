import { z } from 'zod';
import { requirePerson } from '#lib/access/require.ts';
import { visibleAgents } from '#lib/agents/visibility.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#lib/platform/cursor.ts';
import type { Prisma } from '#lib/platform/db.ts';
import { NotFound } from '#lib/platform/errors.ts';

export const credentialFactsSchema = z
  .object({
    id: z.string(),
    kind: z.string().meta({ description: 'access token, or revealed token for one its owner carries.' }),
    state: z.enum(['live', 'ended', 'expired']),
    endCause: z
      .string()
      .nullable()
      .meta({ description: 'Why it is over, also where only its agent, binding or key says so.' }),
    server: z.object({ id: z.string(), name: z.string() }),
    audience: z.string(),
    tools: z.array(z.string()),
    grant: z.string().meta({ description: 'What it was minted from.' }),
    clientId: z.string(),
    instanceId: z.string(),
    bindingId: z.string(),
    bindingVersion: z.int(),
    epoch: z.int(),
    familyId: z.string().nullable(),
    keyId: z.string(),
    issuedAt: z.string(),
    expiresAt: z.string(),
    endedAt: z.string().nullable(),
    lastSeenAt: z.string().nullable(),
  })
  .meta({ id: 'Credential' });
export type CredentialFacts = z.output<typeof credentialFactsSchema>;

export const credentialPageSchema = pageOf(credentialFactsSchema);
export const listCredentialsQuery = z.strictObject({
  ...pageQuery,
  state: z.enum(['live', 'all']).default('all'),
});

/**
 * An agent's credentials, newest first: the ledger of what was issued, for how long, and how it ended. Facts only;
 * no token and no digest leaves the database. Whether one is live is worked out here and now, never stored.
 */
export async function listCredentials(
  ctx: Ctx,
  agentId: string,
  query: z.output<typeof listCredentialsQuery>,
): Promise<z.output<typeof credentialPageSchema>> {
  if (ctx.actor.kind !== 'system') requirePerson(ctx);
  const { prisma } = ctx.db;
  const agent = await prisma.agent.findFirst({
    where: { AND: [{ id: agentId }, await visibleAgents(prisma, ctx)] },
    select: { id: true, epoch: true, state: true, ownerId: true },
  });
  if (!agent) throw new NotFound();
  const now = ctx.clock.now();
  const after = decodeCursor(query.cursor, 2);
  const where: Prisma.CredentialWhereInput = {
    agentId,
    ...(query.state === 'live' ? { endedAt: null, expiresAt: { gt: now }, epoch: agent.epoch } : {}),
    ...(after
      ? {
          OR: [
            { issuedAt: { lt: new Date(after[0] as string) } },
            { issuedAt: new Date(after[0] as string), id: { lt: after[1] as string } },
          ],
        }
      : {}),
  };
  const rows = await prisma.credential.findMany({
    where,
    orderBy: [{ issuedAt: 'desc' }, { id: 'desc' }],
    take: query.limit + 1,
    omit: { tokenDigest: true },
  });
  const page = rows.slice(0, query.limit);
  const ids = (pick: (row: (typeof page)[number]) => string | null) => [
    ...new Set(page.flatMap((row) => pick(row) ?? [])),
  ];
  const [servers, bindings, families, keys, owner, instances] = await Promise.all([
    prisma.mcpServer.findMany({
      where: { id: { in: ids((row) => row.serverId) } },
      select: { id: true, name: true },
    }),
    prisma.toolBinding.findMany({
      where: { id: { in: ids((row) => row.bindingId) } },
      select: { id: true, endedAt: true, endCause: true, expiresAt: true },
    }),
    prisma.refreshFamily.findMany({
      where: { id: { in: ids((row) => row.familyId) } },
      select: { id: true, state: true },
    }),
    prisma.signingKey.findMany({
      where: { kid: { in: ids((row) => row.kid) } },
      select: { kid: true, state: true },
    }),
    prisma.person.findUnique({ where: { id: agent.ownerId }, select: { state: true } }),
    prisma.instance.findMany({
      where: { id: { in: ids((row) => row.instanceId) } },
      select: { id: true, state: true },
    }),
  ]);
  const named = new Map(servers.map((server) => [server.id, server.name]));
  const last = page.at(-1);
  return {
    items: page.map((row) => {
      const binding = bindings.find((each) => each.id === row.bindingId);
      const family = families.find((each) => each.id === row.familyId);
      const cause =
        row.endCause ??
        (row.expiresAt <= now ? 'expired' : null) ??
        (row.epoch < agent.epoch || agent.state !== 'active'
          ? `agent ${agent.state === 'active' ? 'stopped' : agent.state}`
          : null) ??
        (binding?.endedAt ? `approval ${binding.endCause ?? 'ended'}` : null) ??
        (binding?.expiresAt && binding.expiresAt <= now ? 'approval expired' : null) ??
        (instances.find((each) => each.id === row.instanceId)?.state === 'active'
          ? null
          : 'client stopped') ??
        (family && family.state !== 'live' ? `sign-in ${family.state}` : null) ??
        (keys.find((each) => each.kid === row.kid)?.state === 'killed' ? 'key killed' : null) ??
        (owner?.state === 'active' ? null : 'owner disabled');
      return {
        id: row.id,
        kind: row.kind,
        state: cause === null ? 'live' : cause === 'expired' ? 'expired' : 'ended',
        endCause: cause,
        server: { id: row.serverId, name: named.get(row.serverId) ?? '' },
        audience: row.audience,
        tools: row.tools,
        grant: row.grantKind,
        clientId: row.clientId,
        instanceId: row.instanceId,
        bindingId: row.bindingId,
        bindingVersion: row.bindingVersion,
        epoch: row.epoch,
        familyId: row.familyId,
        keyId: row.kid,
        issuedAt: row.issuedAt.toISOString(),
        expiresAt: row.expiresAt.toISOString(),
        endedAt: row.endedAt?.toISOString() ?? null,
        lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
      };
    }),
    nextCursor:
      rows.length > query.limit && last ? encodeCursor([last.issuedAt.toISOString(), last.id]) : null,
  };
}

export type RevealView = {
  agent: { id: string; name: string };
  requestNumber: number | null;
  reveals: {
    id: string;
    serverName: string;
    resource: string;
    tools: string[];
    expiresAt: string;
    /** Tokens minted before, by their facts only. */
    minted: number;
  }[];
};

/**
 * What the owner of an agent can still reveal: which servers, which tools, until when. Holds no secret: a token
 * exists only once the owner asks for it, and only in that answer. Throws `NotFound` for anybody but the owner.
 */
export async function readReveals(ctx: Ctx, agentId: string): Promise<RevealView> {
  const person = requirePerson(ctx);
  const { prisma } = ctx.db;
  const agent = await prisma.agent.findFirst({
    where: { id: agentId, ownerId: person.personId },
    select: { id: true, name: true },
  });
  if (!agent) throw new NotFound();
  const reveals = await prisma.reveal.findMany({
    where: { agentId, ownerId: person.personId, expiresAt: { gt: ctx.clock.now() } },
    orderBy: { createdAt: 'desc' },
  });
  // A later approval replaces an earlier right for the same server.
  const latest = [...new Map([...reveals].reverse().map((reveal) => [reveal.serverId, reveal])).values()];
  const bindings = await prisma.toolBinding.findMany({
    where: { agentId, endedAt: null, serverId: { in: latest.map((reveal) => reveal.serverId) } },
    include: { server: { select: { name: true, resource: true } } },
  });
  const request = latest[0]
    ? await prisma.registrationRequest.findUnique({
        where: { id: latest[0].requestId },
        select: { number: true },
      })
    : null;
  return {
    agent,
    requestNumber: request?.number ?? null,
    reveals: latest.flatMap((reveal) => {
      const binding = bindings.find((each) => each.serverId === reveal.serverId);
      return binding
        ? [
            {
              id: reveal.id,
              serverName: binding.server.name,
              resource: binding.server.resource,
              tools: binding.toolNames,
              expiresAt: reveal.expiresAt.toISOString(),
              minted: reveal.mintedCredentialIds.length,
            },
          ]
        : [];
    }),
  };
}
