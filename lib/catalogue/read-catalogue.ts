import { requireRole } from '#lib/access/require.ts';
import { roles } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';
import type { ToolAnnotations, ToolClass, ToolRisk } from './definition.ts';

export type CatalogueTool = {
  toolId: string;
  toolVersionId: string;
  version: number;
  name: string;
  title: string | null;
  description: string;
  inputSchema: unknown;
  outputSchema: unknown;
  annotations: ToolAnnotations | null;
  definitionDigest: string;
  class: ToolClass;
  risk: ToolRisk;
  proposedClass: ToolClass;
  proposedRisk: ToolRisk;
  proposedReason: string;
  confirmedAt: Date | null;
  firstSeenAt: Date;
  removedAt: Date | null;
};

export type CatalogueServer = {
  id: string;
  name: string;
  description: string;
  resource: string;
  upstreamUrl: string | null;
  environment: string;
  state: string;
  protocolRevision: string | null;
  createdAt: Date;
  lastSyncedAt: Date | null;
  lastSyncError: string | null;
  /** Seconds between two readings; null: only by hand. */
  syncEverySeconds: number | null;
  nextSyncAt: Date | null;
  syncFailures: number;
  retiredAt: Date | null;
  /** What an anonymous caller got at its own address; `outcome` is null until it was asked. */
  probe: { outcome: string | null; detail: string; probedAt: Date | null; since: Date | null };
  tools: CatalogueTool[];
};

const include = {
  tools: { orderBy: { name: 'asc' }, include: { versions: { orderBy: { version: 'desc' }, take: 1 } } },
} as const;

/** Every server with its tools as they are now, for everybody with a role: owners choose from it. */
export async function listCatalogue(
  ctx: Ctx,
  options: { withRetired?: boolean } = {},
): Promise<CatalogueServer[]> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, ...roles);
  const servers = await ctx.db.prisma.mcpServer.findMany({
    where: options.withRetired ? {} : { state: 'active' },
    orderBy: { name: 'asc' },
    include,
    omit: { upstreamCredential: true },
  });
  return servers.map(toServer);
}

/** One server with its tools, removed ones last. Throws `NotFound`. */
export async function getServer(ctx: Ctx, serverId: string): Promise<CatalogueServer> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, ...roles);
  const server = await ctx.db.prisma.mcpServer.findUnique({
    where: { id: serverId },
    include,
    omit: { upstreamCredential: true },
  });
  if (!server) throw new NotFound();
  return toServer(server);
}

export type ToolHistoryEntry = {
  version: number;
  seenAt: Date;
  title: string | null;
  description: string;
  inputSchema: unknown;
  definitionDigest: string;
  class: ToolClass;
  risk: ToolRisk;
  confirmedAt: Date | null;
  confirmedBy: string | null;
};

/** Every version of a tool's definition ever seen, newest first. */
export async function readToolHistory(ctx: Ctx, toolId: string): Promise<ToolHistoryEntry[]> {
  requireRole(ctx, ...roles);
  const versions = await ctx.db.prisma.toolVersion.findMany({
    where: { toolId },
    orderBy: { version: 'desc' },
    take: 100,
  });
  if (versions.length === 0) throw new NotFound();
  const people = await ctx.db.prisma.person.findMany({
    where: { id: { in: versions.flatMap((version) => version.confirmedById ?? []) } },
    select: { id: true, displayName: true },
  });
  const names = new Map(people.map((person) => [person.id, person.displayName]));
  return versions.map((version) => ({
    version: version.version,
    seenAt: version.seenAt,
    title: version.title,
    description: version.description,
    inputSchema: version.inputSchema,
    definitionDigest: version.definitionDigest,
    class: version.class as ToolClass,
    risk: version.risk as ToolRisk,
    confirmedAt: version.confirmedAt,
    confirmedBy: version.confirmedById ? (names.get(version.confirmedById) ?? null) : null,
  }));
}

export type ToolSetSummary = {
  id: string;
  name: string;
  purpose: string;
  version: number;
  versionId: string;
  toolIds: string[];
  createdAt: Date;
};

/** Tool sets with their latest version. */
export async function listToolSets(ctx: Ctx): Promise<ToolSetSummary[]> {
  requireRole(ctx, ...roles);
  const sets = await ctx.db.prisma.toolSet.findMany({
    orderBy: { name: 'asc' },
    include: { versions: { orderBy: { version: 'desc' }, take: 1 } },
  });
  return sets.flatMap((set) => {
    const [latest] = set.versions;
    return latest
      ? [
          {
            id: set.id,
            name: set.name,
            purpose: set.purpose,
            version: latest.version,
            versionId: latest.id,
            toolIds: latest.toolIds,
            createdAt: latest.createdAt,
          },
        ]
      : [];
  });
}

type ServerRow = Omit<CatalogueServer, 'tools' | 'probe'> & {
  probeOutcome: string | null;
  probeDetail: string;
  probedAt: Date | null;
  probeSince: Date | null;
  tools: {
    id: string;
    name: string;
    firstSeenAt: Date;
    removedAt: Date | null;
    versions: {
      id: string;
      version: number;
      title: string | null;
      description: string;
      inputSchema: unknown;
      outputSchema: unknown;
      annotations: unknown;
      definitionDigest: string;
      class: string;
      risk: string;
      proposedClass: string;
      proposedRisk: string;
      proposedReason: string;
      confirmedAt: Date | null;
    }[];
  }[];
};

function toServer(row: ServerRow): CatalogueServer {
  const tools = row.tools.flatMap((tool) => {
    const [version] = tool.versions;
    if (!version) return [];
    return [
      {
        toolId: tool.id,
        toolVersionId: version.id,
        version: version.version,
        name: tool.name,
        title: version.title,
        description: version.description,
        inputSchema: version.inputSchema,
        outputSchema: version.outputSchema,
        annotations: version.annotations as ToolAnnotations | null,
        definitionDigest: version.definitionDigest,
        class: version.class as ToolClass,
        risk: version.risk as ToolRisk,
        proposedClass: version.proposedClass as ToolClass,
        proposedRisk: version.proposedRisk as ToolRisk,
        proposedReason: version.proposedReason,
        confirmedAt: version.confirmedAt,
        firstSeenAt: tool.firstSeenAt,
        removedAt: tool.removedAt,
      },
    ];
  });
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    resource: row.resource,
    upstreamUrl: row.upstreamUrl,
    environment: row.environment,
    state: row.state,
    protocolRevision: row.protocolRevision,
    createdAt: row.createdAt,
    lastSyncedAt: row.lastSyncedAt,
    lastSyncError: row.lastSyncError,
    syncEverySeconds: row.syncEverySeconds,
    nextSyncAt: row.nextSyncAt,
    syncFailures: row.syncFailures,
    retiredAt: row.retiredAt,
    probe: {
      outcome: row.probeOutcome,
      detail: row.probeDetail,
      probedAt: row.probedAt,
      since: row.probeSince,
    },
    tools: [...tools.filter((tool) => !tool.removedAt), ...tools.filter((tool) => tool.removedAt)],
  };
}
