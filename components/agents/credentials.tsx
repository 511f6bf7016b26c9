import { CopyableId } from '#components/console/copyable-id.tsx';
import { Countdown, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { Table, TableCell, TableHeader, TableRow } from '#components/ui/table.tsx';

export type CredentialRow = {
  id: string;
  kind: string;
  state: string;
  endCause: string | null;
  server: { id: string; name: string };
  tools: string[];
  grant: string;
  issuedAt: string;
  expiresAt: string;
  endedAt: string | null;
  lastSeenAt: string | null;
};

/** The ledger of what was issued: for what, for how long, how it ended. */
export function Credentials({
  rows,
  more,
  agentId,
}: {
  rows: CredentialRow[];
  more: boolean;
  agentId: string;
}) {
  if (rows.length === 0) return <p className="p-4 text-fg-2 text-sm">Nothing was ever issued to it.</p>;
  const liveCount = rows.filter((row) => row.state === 'live').length;
  return (
    <>
      <Table label="Ledger of credentials">
        <thead>
          <TableRow>
            <TableHeader>Credential</TableHeader>
            <TableHeader>State</TableHeader>
            <TableHeader>For</TableHeader>
            <TableHeader>Issued</TableHeader>
            <TableHeader>Last seen</TableHeader>
          </TableRow>
        </thead>
        <tbody>
          {rows.map((row) => (
            <TableRow key={row.id}>
              <TableCell>
                <CopyableId id={row.id} label="credential id" keep={14} />
                <div className="text-fg-3 text-xs">{row.grant.replaceAll('_', ' ')}</div>
              </TableCell>
              <TableCell>
                {row.state === 'live' ? (
                  <span className="flex flex-wrap items-center gap-x-2">
                    <StatePill state="live" plain />
                    <Countdown until={row.expiresAt} over="expired" className="text-xs" />
                  </span>
                ) : (
                  <StatePill state={row.state} cause={row.state === 'expired' ? null : row.endCause} plain />
                )}
              </TableCell>
              <TableCell>
                {row.server.name}
                <Badge plain className="ml-2" title={row.tools.join(', ')}>
                  {row.tools.length} {row.tools.length === 1 ? 'tool' : 'tools'}
                </Badge>
              </TableCell>
              <TableCell>
                <RelativeTime at={row.issuedAt} />
              </TableCell>
              <TableCell>
                {row.lastSeenAt ? <RelativeTime at={row.lastSeenAt} /> : <span className="text-fg-3">–</span>}
              </TableCell>
            </TableRow>
          ))}
        </tbody>
      </Table>
      <div className="border-line border-t px-4 py-2 text-fg-3 text-xs">
        {liveCount} live{more ? ` of the newest ${rows.length}. ` : ` of ${rows.length}. `}
        <TextLink
          href={`/audit?agent=${agentId}&kind=credential.issue`}
          className="inline-block min-h-6 leading-6"
        >
          Every issuance
        </TextLink>
      </div>
    </>
  );
}
