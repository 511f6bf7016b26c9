'use client';

import { useRouter } from 'next/navigation';
import { useState } from 'react';
import { DigestChip } from '#components/console/copyable-id.tsx';
import { DiffLine, DiffList } from '#components/console/diff-line.tsx';
import { ClassMark, RiskMark } from '#components/console/marks.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { Drawer } from '#components/ui/drawer.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { CatalogueTool, ToolHistoryEntry } from '#lib/catalogue/read-catalogue.ts';
import { diffDefinitions } from './diff-definitions.ts';

/** What a tool is, word for word, and what it was before. */
export function ToolDrawer({
  serverId,
  tool,
  entries,
}: {
  serverId: string;
  tool: CatalogueTool;
  entries: ToolHistoryEntry[];
}) {
  const router = useRouter();
  const [open, setOpen] = useState(true);
  const hints = Object.entries(tool.annotations ?? {}).filter(([, value]) => typeof value === 'boolean');
  return (
    <Drawer
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) router.push(`/servers/${serverId}`, { scroll: false });
      }}
      title={
        <span className="break-all font-mono text-sm">
          <UntrustedText text={tool.name} />
        </span>
      }
      className="max-w-[min(40rem,calc(100vw-2rem))]"
    >
      <div className="grid gap-5">
        <div className="flex flex-wrap items-center gap-2">
          <ClassMark toolClass={tool.class} />
          <RiskMark risk={tool.risk} />
          {!tool.confirmedAt && <Badge tone="violet">Not confirmed</Badge>}
          {tool.removedAt && <Badge tone="neutral">No longer offered</Badge>}
        </div>
        {!tool.confirmedAt && !tool.removedAt && (
          <Callout tone="info" title={`Proposed: ${tool.proposedClass}, ${tool.proposedRisk} risk`}>
            {tool.proposedReason}
          </Callout>
        )}
        <section className="grid gap-1.5">
          <h3 className="font-medium text-sm">What the server says</h3>
          {tool.title && (
            <p className="font-medium text-sm">
              <UntrustedText text={tool.title} />
            </p>
          )}
          <div className="text-sm">
            <UntrustedText text={tool.description || 'No description.'} multiline />
          </div>
        </section>
        <DescriptionList
          items={[
            {
              term: 'Hints of the server',
              value:
                hints.length > 0 ? (
                  <span className="flex flex-wrap gap-1">
                    {hints.map(([hint, value]) => (
                      <Badge key={hint}>
                        {hint}: {String(value)}
                      </Badge>
                    ))}
                  </span>
                ) : (
                  'None given; each counts as its worst value'
                ),
            },
            { term: 'Version', value: `${tool.version}` },
            {
              term: 'Definition digest',
              value: <DigestChip digest={tool.definitionDigest} label="definition digest" />,
            },
            { term: 'First seen', value: <RelativeTime at={tool.firstSeenAt} /> },
            {
              term: 'History',
              value: <TextLink href={`/audit?subject=${tool.toolId}`}>Events of this tool</TextLink>,
            },
          ]}
        />
        <CodeBlock label="Input schema" code={JSON.stringify(tool.inputSchema, null, 2)} maxHeight="20rem" />
        {tool.outputSchema !== null && tool.outputSchema !== undefined && (
          <CodeBlock
            label="Output schema"
            code={JSON.stringify(tool.outputSchema, null, 2)}
            maxHeight="14rem"
          />
        )}
        <section className="grid gap-2">
          <h3 className="font-medium text-sm">Versions</h3>
          <ol className="grid gap-3">
            {entries.map((entry, index) => (
              <li key={entry.version} className="grid gap-1.5 rounded-md border border-line p-3">
                <div className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
                  <span className="font-medium">Version {entry.version}</span>
                  <ClassMark toolClass={entry.class} plain />
                  <RiskMark risk={entry.risk} plain />
                  <span className="ml-auto text-fg-3 text-xs">
                    seen <RelativeTime at={entry.seenAt} />
                  </span>
                </div>
                <div className="text-fg-3 text-xs">
                  {entry.confirmedAt ? (
                    <>
                      Confirmed by {entry.confirmedBy ?? 'Countersign'}{' '}
                      <RelativeTime at={entry.confirmedAt} />
                    </>
                  ) : (
                    'Never confirmed'
                  )}
                </div>
                <VersionDifference entry={entry} before={entries[index + 1] ?? null} />
              </li>
            ))}
          </ol>
        </section>
      </div>
    </Drawer>
  );
}

function VersionDifference({ entry, before }: { entry: ToolHistoryEntry; before: ToolHistoryEntry | null }) {
  if (!before) return <p className="text-fg-2 text-xs">The first definition seen.</p>;
  const lines = diffDefinitions(before, entry);
  return (
    <div className="overflow-hidden rounded-md border border-line">
      <DiffList label={`Differences between version ${before.version} and ${entry.version}`}>
        {lines.map((line) => (
          <DiffLine
            key={line.what}
            kind={line.kind}
            what={<code className="text-xs">{line.what}</code>}
            before={line.before === null ? undefined : <UntrustedText text={line.before} />}
            after={line.after === null ? undefined : <UntrustedText text={line.after} />}
          />
        ))}
      </DiffList>
    </div>
  );
}
