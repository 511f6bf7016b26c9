'use client';

import { CircleCheck, CircleQuestionMark } from 'lucide-react';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { ClassMark, RiskMark } from '#components/console/marks.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import type { CatalogueTool } from '#lib/catalogue/read-catalogue.ts';

const riskOrder: Record<string, number> = { low: 0, medium: 1, high: 2 };

const columns: DataColumn<CatalogueTool>[] = [
  {
    id: 'name',
    header: 'Tool',
    cell: (tool) => (
      <span className={tool.removedAt ? 'text-fg-3 line-through' : 'font-mono text-xs'}>
        <UntrustedText text={tool.name} />
      </span>
    ),
    sortValue: (tool) => tool.name,
  },
  {
    id: 'description',
    header: 'What the server says',
    cell: (tool) => (
      <span className="text-fg-2">
        <UntrustedText text={firstLine(tool.description) || tool.title || '–'} />
      </span>
    ),
    width: '22rem',
    hideBelow: 'lg',
  },
  {
    id: 'class',
    header: 'Class',
    cell: (tool) => <ClassMark toolClass={tool.class} plain />,
    sortValue: (tool) => tool.class,
    width: '8rem',
  },
  {
    id: 'risk',
    header: 'Risk',
    cell: (tool) => <RiskMark risk={tool.risk} plain />,
    sortValue: (tool) => riskOrder[tool.risk] ?? 2,
    width: '6.5rem',
  },
  {
    id: 'confirmed',
    header: 'Confirmed',
    cell: (tool) =>
      tool.removedAt ? (
        <StatePill state="ended" cause="removed" plain />
      ) : tool.confirmedAt ? (
        <Badge tone="success" plain icon={<CircleCheck aria-hidden />}>
          <RelativeTime at={tool.confirmedAt} />
        </Badge>
      ) : (
        <Badge tone="violet" plain icon={<CircleQuestionMark aria-hidden />} title={tool.proposedReason}>
          Proposed: {tool.proposedClass === 'unclassified' ? 'none' : tool.proposedClass}
        </Badge>
      ),
    sortValue: (tool) => (tool.confirmedAt ? 1 : 0),
    width: '11rem',
  },
  {
    id: 'version',
    header: 'Version',
    cell: (tool) => tool.version,
    align: 'end',
    width: '5rem',
    hideBelow: 'md',
  },
];

/** Tools of one server; a row opens its definition. */
export function ToolsTable({
  serverId,
  tools,
  chosen,
  onChoose,
}: {
  serverId: string;
  tools: CatalogueTool[];
  chosen: ReadonlySet<string>;
  onChoose?: (chosen: Set<string>) => void;
}) {
  return (
    <DataTable
      label="Tools"
      rows={tools}
      columns={columns}
      rowKey={(tool) => tool.toolId}
      rowHref={(tool) => `/servers/${serverId}?tool=${tool.toolId}`}
      rowLabel={(tool) => tool.name}
      selection={onChoose ? chosen : undefined}
      onSelectionChange={
        onChoose
          ? (next) =>
              onChoose(
                new Set(
                  tools.filter((tool) => !tool.removedAt && next.has(tool.toolId)).map((tool) => tool.toolId),
                ),
              )
          : undefined
      }
      stickyHeader={false}
    />
  );
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.slice(0, 160) ?? '';
}
