'use client';

import {
  type Column,
  type ColumnDef,
  createSortedRowModel,
  rowSortingFeature,
  type SortingState,
  sortFns,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { ArrowDown, ArrowUp, ChevronsUpDown } from 'lucide-react';
import Link from 'next/link';
import { type CSSProperties, type KeyboardEvent, type ReactNode, useMemo, useState } from 'react';
import { Checkbox } from '#components/ui/checkbox.tsx';
import { cn } from '#components/ui/cn.ts';
import { DenseContext } from './dense.ts';

export type DataColumn<Row> = {
  id: string;
  /** Column title; also the label of the value when rows turn into cards. */
  header: string;
  cell: (row: Row) => ReactNode;
  /** Makes the column sortable in the browser by this value. */
  sortValue?: (row: Row) => string | number | null;
  /** Makes the column sortable by the server; see `sort`. */
  sortable?: boolean;
  align?: 'start' | 'end';
  /** CSS width, such as `9rem`; the column without one takes the rest. */
  width?: string;
  /** Leaves the column out of narrow tables (under 56 or 44 rem); cards show it again. */
  hideBelow?: 'lg' | 'md';
  /** Lets the value take more than one line. */
  wrap?: boolean;
  /** Title for screen readers only. */
  hideHeader?: boolean;
};

export type DataSort = { column: string; direction: 'ascending' | 'descending' };

/** Rows laid out as cards are no table to a browser unless the elements say so. */
const ROLE = {
  table: 'table',
  rowgroup: 'rowgroup',
  row: 'row',
  columnheader: 'columnheader',
  rowheader: 'rowheader',
  cell: 'cell',
} as const;

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns,
});

/**
 * A list of things. The first column names the row and, with `rowHref`, links the whole row. Up, Down, J and K move
 * between rows while one is focused. Under 36 rem of its own width each row becomes a card.
 */
export function DataTable<Row extends object>({
  label,
  rows,
  columns,
  rowKey,
  rowHref,
  sort,
  onSortChange,
  selection,
  onSelectionChange,
  rowLabel,
  empty,
  stale = false,
  stickyHeader = true,
  className,
}: {
  /** Names the table to screen readers. */
  label: string;
  rows: ReadonlyArray<Row>;
  columns: ReadonlyArray<DataColumn<Row>>;
  rowKey: (row: Row) => string;
  rowHref?: (row: Row) => string | null;
  /** The order the server applied, for columns marked `sortable`. */
  sort?: DataSort | null;
  onSortChange?: (sort: DataSort) => void;
  /** Keys of the chosen rows; shows a checkbox per row. */
  selection?: ReadonlySet<string>;
  onSelectionChange?: (selection: Set<string>) => void;
  /** What the checkbox of a row is called. */
  rowLabel?: (row: Row) => string;
  /** Shown instead of rows when there are none: an EmptyState. */
  empty?: ReactNode;
  /** Dims old rows while newer ones load. */
  stale?: boolean;
  stickyHeader?: boolean;
  className?: string;
}) {
  const [localSort, setLocalSort] = useState<SortingState>([]);
  const byId = useMemo(() => new Map(columns.map((column) => [column.id, column])), [columns]);
  const definitions = useMemo(
    (): ColumnDef<typeof features, Row>[] =>
      columns.map((column) => ({
        id: column.id,
        accessorFn: (row: Row) => column.sortValue?.(row) ?? null,
        enableSorting: column.sortValue !== undefined,
        sortFn: 'basic',
      })),
    [columns],
  );
  const table = useTable({
    features,
    columns: definitions,
    data: rows as Row[],
    getRowId: rowKey,
    state: { sorting: localSort },
    onSortingChange: setLocalSort,
  });

  if (rows.length === 0 && empty) return <>{empty}</>;

  const allChosen =
    selection !== undefined && rows.length > 0 && rows.every((row) => selection.has(rowKey(row)));
  const choose = (keys: Iterable<string>, chosen: boolean) => {
    const next = new Set(selection);
    for (const key of keys) {
      if (chosen) next.add(key);
      else next.delete(key);
    }
    onSelectionChange?.(next);
  };

  return (
    <DenseContext value={true}>
      <div className={cn('data-table-frame min-w-0', stale && 'opacity-60 transition-opacity', className)}>
        <table
          role={ROLE.table}
          aria-label={label}
          aria-busy={stale || undefined}
          className="data-table w-full border-separate border-spacing-0 text-sm"
        >
          <thead role={ROLE.rowgroup}>
            <tr role={ROLE.row}>
              {selection && (
                <th
                  role={ROLE.columnheader}
                  scope="col"
                  className={cn(headerClass, stickyHeader && stickyClass)}
                >
                  <Checkbox
                    label="Select all rows"
                    hideLabel
                    checked={allChosen}
                    indeterminate={!allChosen && selection.size > 0}
                    onCheckedChange={(chosen) => choose(rows.map(rowKey), chosen)}
                  />
                </th>
              )}
              {table.getHeaderGroups()[0]?.headers.map((header) => {
                const column = byId.get(header.column.id);
                if (!column) return null;
                const order = sortOrder(column, header.column, sort);
                const sortable = column.sortValue !== undefined || (column.sortable && onSortChange);
                return (
                  <th
                    key={header.id}
                    role={ROLE.columnheader}
                    scope="col"
                    style={columnStyle(column)}
                    aria-sort={order ?? (sortable ? 'none' : undefined)}
                    className={cn(
                      headerClass,
                      stickyHeader && stickyClass,
                      column.align === 'end' && 'text-end',
                      hideClass(column.hideBelow),
                    )}
                  >
                    {sortable ? (
                      <button
                        type="button"
                        onClick={() => {
                          if (column.sortValue) header.column.toggleSorting(order === 'ascending');
                          else
                            onSortChange?.({
                              column: column.id,
                              direction: order === 'descending' ? 'ascending' : 'descending',
                            });
                        }}
                        className="-mx-1 inline-flex min-h-6 items-center gap-1 rounded-sm px-1 hover:bg-hover hover:text-fg"
                      >
                        {column.header}
                        {order === 'ascending' ? (
                          <ArrowUp aria-hidden className="size-3 text-fg" />
                        ) : order === 'descending' ? (
                          <ArrowDown aria-hidden className="size-3 text-fg" />
                        ) : (
                          <ChevronsUpDown aria-hidden className="size-3 opacity-60" />
                        )}
                      </button>
                    ) : (
                      <span className={column.hideHeader ? 'sr-only' : undefined}>{column.header}</span>
                    )}
                  </th>
                );
              })}
            </tr>
          </thead>
          <tbody role={ROLE.rowgroup} onKeyDown={moveBetweenRows}>
            {table.getRowModel().rows.map((row) => {
              const key = row.id;
              const href = rowHref?.(row.original);
              const chosen = selection?.has(key);
              return (
                <tr
                  key={key}
                  role={ROLE.row}
                  data-row-key={key}
                  aria-selected={selection ? chosen : undefined}
                  className={cn(
                    'group/row relative',
                    href && 'hover:bg-hover has-[a[data-row-link]:focus-visible]:bg-selected',
                    chosen && 'bg-selected',
                  )}
                >
                  {selection && (
                    <td role={ROLE.cell} data-label="" className={cn(cellClass, 'select-cell')}>
                      <div className="cell relative z-1 flex h-full items-center pl-3">
                        <Checkbox
                          label={`Select ${rowLabel?.(row.original) ?? key}`}
                          hideLabel
                          checked={chosen}
                          onCheckedChange={(next) => choose([key], next)}
                        />
                      </div>
                    </td>
                  )}
                  {columns.map((column, index) => (
                    <DataCell
                      key={column.id}
                      row={row.original}
                      column={column}
                      primary={index === 0}
                      href={href}
                    />
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </DenseContext>
  );
}

function DataCell<Row extends object>({
  row,
  column,
  primary,
  href,
}: {
  row: Row;
  column: DataColumn<Row>;
  primary: boolean;
  href: string | null | undefined;
}) {
  const value = column.cell(row);
  const content = (
    <div
      className={cn(
        'cell flex min-h-9 items-center gap-2 px-3 py-1.5',
        column.align === 'end' && 'justify-end text-end',
        !column.wrap && 'overflow-hidden whitespace-nowrap',
      )}
    >
      {primary && href ? (
        <Link
          href={href}
          data-row-link
          className="min-w-0 truncate rounded-xs font-medium after:absolute after:inset-0 hover:underline focus-visible:-outline-offset-1"
        >
          {value}
        </Link>
      ) : (
        <div className={cn('min-w-0', primary && 'font-medium', !column.wrap && 'truncate')}>{value}</div>
      )}
    </div>
  );
  return primary ? (
    <th
      role={ROLE.rowheader}
      scope="row"
      data-primary
      data-label={column.header}
      style={columnStyle(column)}
      className={cn(cellClass, 'text-start font-normal')}
    >
      {content}
    </th>
  ) : (
    <td
      role={ROLE.cell}
      data-label={column.hideHeader ? '' : column.header}
      style={columnStyle(column)}
      className={cn(cellClass, hideClass(column.hideBelow))}
    >
      {content}
    </td>
  );
}

const headerClass =
  'h-8 border-line border-b bg-sunken px-3 text-start align-middle font-medium text-fg-3 text-xs whitespace-nowrap overflow-hidden text-ellipsis first:rounded-tl-lg last:rounded-tr-lg';
const stickyClass = 'sticky top-(--header-height) z-10 print:static';
const cellClass = 'h-9 border-line border-b p-0 align-middle group-last/row:border-b-0';

/** A column without a width takes what the others leave, and is cut before it pushes the table wider. */
function columnStyle<Row>(column: DataColumn<Row>): CSSProperties {
  return column.width
    ? { width: column.width, maxWidth: column.width }
    : { width: '100%', minWidth: '11rem', maxWidth: 0 };
}

function hideClass(hideBelow: 'lg' | 'md' | undefined): string | undefined {
  return hideBelow && `hide-below-${hideBelow}`;
}

function sortOrder<Row extends object>(
  column: DataColumn<Row>,
  tableColumn: Column<typeof features, Row>,
  sort: DataSort | null | undefined,
): 'ascending' | 'descending' | undefined {
  if (column.sortValue) {
    const order = tableColumn.getIsSorted();
    return order === 'asc' ? 'ascending' : order === 'desc' ? 'descending' : undefined;
  }
  return sort?.column === column.id ? sort.direction : undefined;
}

/** Arrow keys, and J and K, move the focus between row links (single keys act only inside the table, WCAG 2.1.4). */
function moveBetweenRows(event: KeyboardEvent<HTMLTableSectionElement>) {
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  const target = event.target as HTMLElement;
  if (!target.matches('a[data-row-link]')) return;
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>('a[data-row-link]')];
  const at = links.indexOf(target);
  const next =
    event.key === 'Home'
      ? links[0]
      : event.key === 'End'
        ? links.at(-1)
        : step
          ? links[at + step]
          : undefined;
  if (!next) return;
  event.preventDefault();
  next.focus();
}
