import { toPickableServers } from '#components/servers/pickable.ts';
import { ToolSetView } from '#components/servers/tool-set-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { listCatalogue } from '#lib/catalogue/read-catalogue.ts';
import { getToolSet } from '#lib/catalogue/read-tool-set.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requirePage } from '../../../page-context.ts';
import { changeToolSet } from '../actions.ts';

export const metadata = { title: 'Tool set' };

export default async function ToolSetPage({ params }: { params: Promise<{ id: string }> }) {
  const { ctx } = await requirePage();
  const { id } = await params;
  const set = await notFoundOr(() => getToolSet(ctx, id));
  const mayAdmin = hasRole(ctx.actor, 'admin');
  return (
    <ToolSetView
      set={set}
      servers={mayAdmin ? toPickableServers(await listCatalogue(ctx)) : null}
      change={changeToolSet}
    />
  );
}
