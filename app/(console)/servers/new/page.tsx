import { PageHeader } from '#components/console/page-header.tsx';
import { AddServerForm } from '#components/servers/add-server-form.tsx';
import { requirePage } from '../../../page-context.ts';
import { addServer } from '../actions.ts';

export const metadata = { title: 'Add server' };

export default async function AddServerPage() {
  await requirePage('admin');
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Add server"
        crumbs={[{ label: 'Servers & tools', href: '/servers' }]}
        description="Nobody can use its tools yet: first you confirm what each may do, then an approver grants them to an agent."
      />
      <AddServerForm addServer={addServer} />
    </div>
  );
}
