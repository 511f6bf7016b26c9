'use client';

import { Layers, Plus } from 'lucide-react';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { ServersTabs } from './servers-tabs.tsx';

type ToolSetRow = {
  id: string;
  name: string;
  purpose: string;
  version: number;
  tools: number;
  servers: string[];
  changedAt: string;
};

const columns: DataColumn<ToolSetRow>[] = [
  { id: 'name', header: 'Tool set', cell: (row) => row.name, sortValue: (row) => row.name.toLowerCase() },
  {
    id: 'purpose',
    header: 'What it is for',
    cell: (row) => <span className="text-fg-2">{row.purpose || '–'}</span>,
    width: '20rem',
    hideBelow: 'lg',
  },
  {
    id: 'servers',
    header: 'Servers',
    cell: (row) => row.servers.join(', '),
    width: '12rem',
    hideBelow: 'md',
  },
  {
    id: 'tools',
    header: 'Tools',
    cell: (row) => row.tools,
    sortValue: (row) => row.tools,
    align: 'end',
    width: '5rem',
  },
  { id: 'version', header: 'Version', cell: (row) => row.version, align: 'end', width: '5.5rem' },
  { id: 'changed', header: 'Changed', cell: (row) => <RelativeTime at={row.changedAt} />, width: '8rem' },
];

/** Named sets of tools for roles. */
export function ToolSetsView({ rows, mayAdmin }: { rows: ToolSetRow[]; mayAdmin: boolean }) {
  const newButton = mayAdmin ? (
    <LinkButton href="/tool-sets/new" variant="primary" icon={<Plus aria-hidden />}>
      New tool set
    </LinkButton>
  ) : null;
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['servers']} />
      <PageHeader
        title="Servers & tools"
        description="Named sets of tools for a role. An approval pins the version it was made on: a tool added later widens nobody."
        actions={newButton}
      />
      <ServersTabs current="tool-sets" />
      <DataTable
        label="Tool sets"
        rows={rows}
        columns={columns}
        rowKey={(row) => row.id}
        rowHref={(row) => `/tool-sets/${row.id}`}
        empty={
          <EmptyState icon={Layers} title="No tool set yet" actions={newButton}>
            A set spares owners the choosing: “Support reader” instead of seven tools. Without one, tools are
            chosen one by one.
          </EmptyState>
        }
      />
    </div>
  );
}
