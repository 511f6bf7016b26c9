import { ToolSetsView } from '#components/servers/tool-sets-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { listCatalogue, listToolSets } from '#lib/catalogue/read-catalogue.ts';
import { requirePage } from '../../../page-context.ts';

export const metadata = { title: 'Tool sets' };

export default async function ToolSetsPage() {
  const { ctx } = await requirePage();
  const [sets, servers] = await Promise.all([listToolSets(ctx), listCatalogue(ctx)]);
  const serverOf = new Map(
    servers.flatMap((server) => server.tools.map((tool) => [tool.toolId, server.name])),
  );
  return (
    <ToolSetsView
      rows={sets.map((set) => ({
        id: set.id,
        name: set.name,
        purpose: set.purpose,
        version: set.version,
        tools: set.toolIds.length,
        servers: [...new Set(set.toolIds.flatMap((id) => serverOf.get(id) ?? []))],
        changedAt: set.createdAt.toISOString(),
      }))}
      mayAdmin={hasRole(ctx.actor, 'admin')}
    />
  );
}
