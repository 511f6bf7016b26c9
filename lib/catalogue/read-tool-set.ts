import { requirePerson } from '#lib/access/require.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { NotFound } from '#lib/platform/errors.ts';

export type ToolSetTool = {
  toolId: string;
  name: string;
  serverId: string;
  server: string;
  removed: boolean;
};
export type ToolSetVersionFacts = {
  version: number;
  createdAt: Date;
  createdBy: string | null;
  tools: ToolSetTool[];
  /** Live bindings that were approved with this version and keep it. */
  bindings: number;
};
export type ToolSetFacts = {
  id: string;
  name: string;
  purpose: string;
  createdAt: Date;
  /** Newest first. */
  versions: ToolSetVersionFacts[];
};

const mostVersions = 50;

/** One tool set with its versions, newest first. Throws `NotFound`. */
export async function getToolSet(ctx: Ctx, toolSetId: string): Promise<ToolSetFacts> {
  requirePerson(ctx);
  const db = ctx.db.prisma;
  const set = await db.toolSet.findUnique({
    where: { id: toolSetId },
    include: { versions: { orderBy: { version: 'desc' }, take: mostVersions } },
  });
  if (!set) throw new NotFound();
  const [tools, people, bindings] = await Promise.all([
    db.tool.findMany({
      where: { id: { in: [...new Set(set.versions.flatMap((version) => version.toolIds))] } },
      select: { id: true, name: true, serverId: true, removedAt: true, server: { select: { name: true } } },
      orderBy: [{ server: { name: 'asc' } }, { name: 'asc' }],
    }),
    db.person.findMany({
      where: { id: { in: set.versions.flatMap((version) => version.createdById ?? []) } },
      select: { id: true, displayName: true },
    }),
    db.toolBinding.findMany({
      where: { endedAt: null, toolSetVersionIds: { hasSome: set.versions.map((version) => version.id) } },
      select: { toolSetVersionIds: true },
    }),
  ]);
  const nameOf = new Map(people.map((person) => [person.id, person.displayName]));
  return {
    id: set.id,
    name: set.name,
    purpose: set.purpose,
    createdAt: set.createdAt,
    versions: set.versions.map((version) => ({
      version: version.version,
      createdAt: version.createdAt,
      createdBy: version.createdById ? (nameOf.get(version.createdById) ?? null) : null,
      tools: tools
        .filter((tool) => version.toolIds.includes(tool.id))
        .map((tool) => ({
          toolId: tool.id,
          name: tool.name,
          serverId: tool.serverId,
          server: tool.server.name,
          removed: tool.removedAt !== null,
        })),
      bindings: bindings.filter((binding) => binding.toolSetVersionIds.includes(version.id)).length,
    })),
  };
}
