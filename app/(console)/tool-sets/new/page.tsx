import { PageHeader } from '#components/console/page-header.tsx';
import { toPickableServers } from '#components/servers/pickable.ts';
import { ToolSetForm } from '#components/servers/tool-set-form.tsx';
import { listCatalogue } from '#lib/catalogue/read-catalogue.ts';
import { requirePage } from '../../../page-context.ts';
import { createToolSet } from '../actions.ts';

export const metadata = { title: 'New tool set' };

export default async function NewToolSetPage() {
  const { ctx } = await requirePage('admin');
  return (
    <div className="grid gap-4">
      <PageHeader
        title="New tool set"
        crumbs={[
          { label: 'Servers & tools', href: '/servers' },
          { label: 'Tool sets', href: '/tool-sets' },
        ]}
        description="Tools that belong together for a role. Choosing a set fills a request; what is approved are its tools, one by one."
      />
      <ToolSetForm servers={toPickableServers(await listCatalogue(ctx))} create={createToolSet} />
    </div>
  );
}
