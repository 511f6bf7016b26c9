import { CircleCheck } from 'lucide-react';
import { DiffLine, DiffList } from '#components/console/diff-line.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';

export type SyncResult = {
  serverId: string;
  total: number;
  protocolRevision: string;
  added: string[];
  changed: string[];
  removed: string[];
  returned: string[];
};

/** What one reading of a server's tools found, compared with the last. */
export function SyncReport({ report, onClose }: { report: SyncResult; onClose: () => void }) {
  const changes =
    report.added.length + report.changed.length + report.removed.length + report.returned.length;
  return (
    <Callout
      tone="success"
      announce
      title={`${report.total} ${report.total === 1 ? 'tool' : 'tools'} read over MCP ${report.protocolRevision}`}
      actions={
        <Button size="sm" variant="ghost" onClick={onClose}>
          Close
        </Button>
      }
    >
      {changes === 0 ? (
        <span className="inline-flex items-center gap-1.5">
          <CircleCheck aria-hidden className="size-4" /> Nothing differs from the last sync.
        </span>
      ) : (
        <div className="mt-2 overflow-hidden rounded-md border border-line bg-surface">
          <DiffList label="Differences to the last sync">
            {report.added.map((name) => (
              <DiffLine
                key={`a${name}`}
                kind="added"
                what={<UntrustedText text={name} />}
                after="waits for its class to be confirmed"
              />
            ))}
            {report.returned.map((name) => (
              <DiffLine
                key={`b${name}`}
                kind="added"
                what={<UntrustedText text={name} />}
                after="offered again"
              />
            ))}
            {report.changed.map((name) => (
              <DiffLine
                key={`c${name}`}
                kind="changed"
                what={<UntrustedText text={name} />}
                after="its definition is new: withheld from agents until it is approved again"
              />
            ))}
            {report.removed.map((name) => (
              <DiffLine
                key={`r${name}`}
                kind="removed"
                what={<UntrustedText text={name} />}
                after="no longer offered; agents lose it"
              />
            ))}
          </DiffList>
        </div>
      )}
    </Callout>
  );
}
