import { toolSetDigest } from '#guard/canonical.ts';
import type { BindingFacts, Constraint } from '#guard/protocol.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { CatalogueChange } from '#lib/catalogue/sync-server.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { appendFeedEntry } from './feed.ts';

/** The columns of a binding that say what it grants. */
export type BindingRow = {
  id: string;
  agentId: string;
  serverId: string;
  version: number;
  toolNames: string[];
  toolVersionIds: string[];
  constraints: unknown;
  validFrom: Date;
  expiresAt: Date | null;
};

/**
 * Tells a server's guards what its tools are now, and takes tools whose definition is no longer the approved one out
 * of every live binding's effect: what was reviewed is what runs, and a changed definition waits for a person. The
 * binding itself stays as approved; its effect comes back with a new approval.
 */
export async function publishServerChange(tx: Tx, ctx: Ctx, change: CatalogueChange): Promise<void> {
  const server = await tx.mcpServer.findUniqueOrThrow({
    where: { id: change.serverId },
    select: { id: true, name: true, resource: true },
  });
  await appendFeedEntry(
    tx,
    ctx,
    [server.id],
    { kind: 'server.changed', server, tools: await readToolFacts(tx, server.id) },
    { subject: server.id },
  );
  const touched = new Set([...change.changed, ...change.removed, ...change.returned]);
  if (touched.size === 0) return;
  const bindings = await tx.toolBinding.findMany({ where: { serverId: server.id, endedAt: null } });
  for (const binding of bindings) {
    if (!binding.toolNames.some((name) => touched.has(name))) continue;
    const facts = await toBindingFacts(tx, binding);
    await appendFeedEntry(
      tx,
      ctx,
      [server.id],
      { kind: 'binding.changed', binding: facts },
      { subject: binding.id },
    );
    const withheld = binding.toolNames.filter((name) => !facts.tools.some((tool) => tool.name === name));
    if (withheld.length === 0) continue;
    await recordEvent(tx, ctx, {
      kind: 'binding.narrow',
      subjectId: binding.id,
      agentId: binding.agentId,
      serverId: server.id,
      reason: 'The definition of these tools is no longer the one that was approved.',
      data: { withheld },
    });
  }
}

/** What guards know of a server's tools: class and risk as confirmed, digest of the current definition. */
export async function readToolFacts(tx: Tx, serverId: string) {
  const tools = await tx.tool.findMany({
    where: { serverId, removedAt: null },
    orderBy: { name: 'asc' },
    include: { versions: { orderBy: { version: 'desc' }, take: 1 } },
  });
  return tools.flatMap((tool) => {
    const [version] = tool.versions;
    if (!version) return [];
    return [
      {
        name: tool.name,
        class: version.class as 'read' | 'write' | 'destructive' | 'external' | 'unclassified',
        risk: version.risk as 'low' | 'medium' | 'high',
        definitionDigest: version.definitionDigest,
      },
    ];
  });
}

/** The tools of a binding that are still what was approved: same definition, still offered. */
export async function effectiveToolNames(tx: Tx, binding: BindingRow): Promise<string[]> {
  const rows = await tx.$queryRaw<{ name: string }[]>`
    SELECT t.name FROM tool t JOIN tool_version v ON v.tool_id = t.id AND v.version = t.current_version
     WHERE t.server_id = ${binding.serverId} AND t.removed_at IS NULL AND v.id = ANY (${binding.toolVersionIds})
     ORDER BY t.name`;
  return rows.map((row) => row.name);
}

/** A binding as guards read it. */
export async function toBindingFacts(tx: Tx, binding: BindingRow): Promise<BindingFacts> {
  const names = await effectiveToolNames(tx, binding);
  const constraints = (binding.constraints ?? {}) as Record<string, Constraint[]>;
  return {
    id: binding.id,
    agentId: binding.agentId,
    version: binding.version,
    tools: names.map((name) => {
      const own = Object.hasOwn(constraints, name) ? constraints[name] : undefined;
      return own && own.length > 0 ? { name, constraints: own } : { name };
    }),
    toolsDigest: toolSetDigest(names),
    validFromMs: binding.validFrom.getTime(),
    ...(binding.expiresAt ? { endsAtMs: binding.expiresAt.getTime() } : {}),
  };
}
