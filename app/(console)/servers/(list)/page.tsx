import { toServerRow } from '#components/servers/server-row.ts';
import { ServersView } from '#components/servers/servers-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { listCatalogue } from '#lib/catalogue/read-catalogue.ts';
import { requirePage } from '../../../page-context.ts';

export const metadata = { title: 'Servers & tools' };

export default async function ServersPage({
  searchParams,
}: {
  searchParams: Promise<{ q?: string | string[]; show?: string | string[] }>;
}) {
  const { ctx } = await requirePage();
  const [servers, { q, show }] = await Promise.all([listCatalogue(ctx), searchParams]);
  return (
    <ServersView
      initial={servers.map(toServerRow)}
      filter={{
        q: typeof q === 'string' ? q.slice(0, 100) : '',
        show: show === 'unconfirmed' || show === 'failed' ? show : 'all',
      }}
      mayAdd={hasRole(ctx.actor, 'admin')}
    />
  );
}
