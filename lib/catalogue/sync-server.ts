import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { listAdminIds } from '#lib/access/roles.ts';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Prisma, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, DomainError, NotFound, Unavailable } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { toOneLine } from '#lib/platform/text.ts';
import { definitionDigest, proposeClass } from './definition.ts';
import { type ListedTools, listTools, type Upstream } from './list-tools.ts';
import { nextSyncAfter } from './sync-schedule.ts';

export const syncServerInput = z.strictObject({ serverId: z.string() });

export type CatalogueChange = {
  serverId: string;
  added: string[];
  changed: string[];
  removed: string[];
  returned: string[];
};

/** What syncing needs from rooms above the catalogue; whoever wires the verb gives it. */
export type SyncNeeds = {
  publish: PublishCatalogueChange;
  /** A short token that lets our own client read the unfiltered lists through a guard. */
  catalogueToken(ctx: Ctx, resource: string): Promise<string>;
};

/**
 * Who must hear of a change of a server's tools, in the same transaction: guards, and bindings whose tool is no
 * longer what was approved. The catalogue does not know them; whoever wires the verb does.
 */
export type PublishCatalogueChange = (tx: Tx, ctx: Ctx, change: CatalogueChange) => Promise<void>;

/**
 * Reads a server's tools with a real MCP client and stores what changed: a new tool, a new version of one whose
 * definition differs by a byte, a tool that went away. A changed definition is a new, unconfirmed tool: unclassified
 * and high risk until a person looks, whatever the old one was. A server that cannot be asked keeps its last good
 * list; the failure is recorded with it.
 */
export async function syncServer(
  ctx: Ctx,
  input: z.output<typeof syncServerInput>,
  needs: SyncNeeds,
): Promise<CatalogueChange & { total: number; protocolRevision: string }> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, 'admin');
  const server = await ctx.db.prisma.mcpServer.findUnique({ where: { id: input.serverId } });
  if (!server) throw new NotFound();
  if (server.state !== 'active') throw new Conflict('This server is retired; its tools are history.');
  try {
    const listed = await listTools(await upstreamOf(ctx, server, needs));
    const change = await withTransaction(ctx, (tx) =>
      storeListing(tx, ctx, server.id, listed, needs.publish),
    );
    return { ...change, total: listed.tools.length, protocolRevision: listed.protocolRevision };
  } catch (error) {
    await recordFailure(ctx, server.id, error);
    throw error;
  }
}

const failuresBeforeNotice = 3;

type ServerRow = {
  id: string;
  resource: string;
  upstreamUrl: string | null;
  upstreamCredential: string | null;
};

/** Straight to the server where it has a URL; through its guard where the guard hosts it. */
async function upstreamOf(ctx: Ctx, server: ServerRow, needs: SyncNeeds): Promise<Upstream> {
  const networks = ctx.site.upstreamNetworks;
  if (!server.upstreamUrl) {
    const token = await needs.catalogueToken(ctx, server.resource);
    return { url: server.resource, headers: { authorization: `Bearer ${token}` }, networks };
  }
  if (!server.upstreamCredential) return { url: server.upstreamUrl, headers: {}, networks };
  if (!ctx.vault) throw new Unavailable('Only the gate can open the credential.');
  const credential = ctx.vault.open(server.upstreamCredential, server.id);
  return { url: server.upstreamUrl, headers: { authorization: `Bearer ${credential}` }, networks };
}

async function recordFailure(ctx: Ctx, serverId: string, error: unknown): Promise<void> {
  // What is not ours to say stays in the log: it may speak of the database, and of what could not be stored in it.
  const said =
    error instanceof DomainError
      ? toOneLine(error.message, 500)
      : 'Its tools could not be read and stored. The log of the gate says why.';
  await withTransaction(ctx, async (tx) => {
    const server = await tx.mcpServer.findUniqueOrThrow({
      where: { id: serverId },
      select: { name: true, state: true, syncEverySeconds: true, syncFailures: true },
    });
    if (server.state !== 'active') return;
    const failures = server.syncFailures + 1;
    await tx.mcpServer.update({
      where: { id: serverId },
      data: {
        lastSyncError: said,
        syncFailures: failures,
        nextSyncAt: nextSyncAfter(ctx.clock.now(), server.syncEverySeconds, failures),
      },
    });
    // Once a streak: a server that is away for a minute is no news, one that stays away is.
    if (ctx.actor.kind === 'system' && failures === failuresBeforeNotice) {
      await notify(tx, ctx, {
        personIds: await listAdminIds(tx, ctx),
        kind: 'server.sync',
        title: `The tools of ${server.name} cannot be read`,
        body: `It failed ${failures} times one after the other. The last good list stays. ${said}`,
        href: `/servers/${serverId}`,
      });
    }
    await recordEvent(tx, ctx, {
      kind: 'server.sync',
      subjectId: serverId,
      serverId,
      outcome: 'refused',
      reason: said,
    });
    await notifyChange(tx, 'servers', serverId);
  });
}

async function storeListing(
  tx: Tx,
  ctx: Ctx,
  serverId: string,
  listed: ListedTools,
  publish: PublishCatalogueChange,
): Promise<CatalogueChange> {
  const now = ctx.clock.now();
  // Two readings at once are stored one after the other; a server retired meanwhile keeps its last list.
  const [server] = await tx.$queryRaw<{ state: string; every: number | null }[]>`
    SELECT state, sync_every_seconds AS every FROM mcp_server WHERE id = ${serverId} FOR UPDATE`;
  if (server?.state !== 'active') throw new Conflict('This server was retired meanwhile.');
  const known = await tx.tool.findMany({
    where: { serverId },
    include: {
      versions: { orderBy: { version: 'desc' }, take: 1, select: { version: true, definitionDigest: true } },
    },
  });
  const knownByName = new Map(known.map((tool) => [tool.name, tool]));
  const change: CatalogueChange = { serverId, added: [], changed: [], removed: [], returned: [] };

  for (const definition of listed.tools) {
    const digest = definitionDigest(definition);
    const tool = knownByName.get(definition.name);
    const latest = tool?.versions[0];
    if (tool?.removedAt) {
      await tx.tool.update({ where: { id: tool.id }, data: { removedAt: null } });
      change.returned.push(tool.name);
    }
    if (tool && latest?.definitionDigest === digest) continue;
    const toolId = tool?.id ?? newId('tool');
    const version = (latest?.version ?? 0) + 1;
    if (tool) {
      await tx.tool.update({ where: { id: toolId }, data: { currentVersion: version } });
      change.changed.push(definition.name);
    } else {
      await tx.tool.create({
        data: { id: toolId, serverId, name: definition.name, currentVersion: 1, firstSeenAt: now },
      });
      change.added.push(definition.name);
    }
    const proposal = proposeClass(definition.annotations);
    await tx.toolVersion.create({
      data: {
        id: newId('toolVersion'),
        toolId,
        version,
        title: definition.title,
        description: definition.description,
        inputSchema: definition.inputSchema as Prisma.InputJsonValue,
        outputSchema: (definition.outputSchema ?? undefined) as Prisma.InputJsonValue | undefined,
        annotations: (definition.annotations ?? undefined) as Prisma.InputJsonValue | undefined,
        definitionDigest: digest,
        proposedClass: proposal.class,
        proposedRisk: proposal.risk,
        proposedReason: proposal.reason,
        seenAt: now,
      },
    });
  }
  const listedNames = new Set(listed.tools.map((tool) => tool.name));
  for (const tool of known) {
    if (tool.removedAt || listedNames.has(tool.name)) continue;
    await tx.tool.update({ where: { id: tool.id }, data: { removedAt: now } });
    change.removed.push(tool.name);
  }
  await tx.mcpServer.update({
    where: { id: serverId },
    data: {
      lastSyncedAt: now,
      lastSyncError: null,
      syncFailures: 0,
      nextSyncAt: nextSyncAfter(now, server.every),
      protocolRevision: listed.protocolRevision,
    },
  });
  await recordEvent(tx, ctx, {
    kind: 'server.sync',
    subjectId: serverId,
    serverId,
    data: { ...change, total: listed.tools.length, protocolRevision: listed.protocolRevision },
  });
  await publish(tx, ctx, change);
  await notifyChange(tx, 'servers', serverId);
  return change;
}
