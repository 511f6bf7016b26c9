'use client';

import { Pencil } from 'lucide-react';
import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { CopyableId } from '#components/console/copyable-id.tsx';
import { DiffLine, DiffList } from '#components/console/diff-line.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { PickableServer } from './pickable.ts';
import { ToolPicker } from './tool-picker.tsx';

type SetTool = { toolId: string; name: string; serverId: string; server: string; removed: boolean };
type SetVersion = {
  version: number;
  createdAt: Date;
  createdBy: string | null;
  tools: SetTool[];
  bindings: number;
};
type ToolSet = { id: string; name: string; purpose: string; createdAt: Date; versions: SetVersion[] };
type ChangeAction = Action<
  { toolSetId: string; fromVersion: number; toolIds: string[] },
  { version: number }
>;

/** One tool set: its tools now, its versions, and a new version with what it changes. */
export function ToolSetView({
  set,
  servers,
  change,
}: {
  set: ToolSet;
  /** What can be chosen, for those who may change it. */
  servers: PickableServer[] | null;
  change: ChangeAction;
}) {
  const [editing, setEditing] = useState(false);
  const [latest] = set.versions;
  if (!latest) return null;
  const bound = set.versions.reduce((sum, version) => sum + version.bindings, 0);
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['servers']} id={set.id} />
      <PageHeader
        title={set.name}
        crumbs={[
          { label: 'Servers & tools', href: '/servers' },
          { label: 'Tool sets', href: '/tool-sets' },
        ]}
        state={<Badge>Version {latest.version}</Badge>}
        description={set.purpose || undefined}
        meta={
          <>
            <span>
              {latest.tools.length} {latest.tools.length === 1 ? 'tool' : 'tools'}
            </span>
            <span>
              {bound} live {bound === 1 ? 'binding' : 'bindings'}
            </span>
            <CopyableId id={set.id} label="tool set id" />
          </>
        }
        actions={
          servers && !editing ? (
            <Button icon={<Pencil aria-hidden />} onClick={() => setEditing(true)}>
              New version
            </Button>
          ) : undefined
        }
      />
      {editing && servers ? (
        <NewVersion
          set={set}
          latest={latest}
          servers={servers}
          change={change}
          onClose={() => setEditing(false)}
        />
      ) : (
        <Card flush title="Tools">
          <ToolList tools={latest.tools} />
        </Card>
      )}
      <Card flush title="Versions">
        <ol>
          {set.versions.map((version, index) => (
            <li key={version.version} className="grid gap-2 border-line border-b px-4 py-3 last:border-b-0">
              <div className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 text-sm">
                <span className="font-medium">Version {version.version}</span>
                <span className="text-fg-3 text-xs">
                  {version.createdBy ?? 'Countersign'} <RelativeTime at={version.createdAt} />
                </span>
                <span className="ml-auto text-fg-2 text-xs">
                  {version.bindings > 0
                    ? `${version.bindings} live ${version.bindings === 1 ? 'binding keeps' : 'bindings keep'} it`
                    : 'no live binding'}
                </span>
              </div>
              <VersionChange version={version} before={set.versions[index + 1] ?? null} />
            </li>
          ))}
        </ol>
      </Card>
    </div>
  );
}

function ToolList({ tools }: { tools: SetTool[] }) {
  return (
    <ul>
      {tools.map((tool) => (
        <li
          key={tool.toolId}
          className="flex flex-wrap items-center gap-x-3 gap-y-0.5 border-line border-b px-4 py-2 text-sm last:border-b-0"
        >
          <TextLink
            href={`/servers/${tool.serverId}?tool=${tool.toolId}`}
            className="break-all font-mono text-xs"
          >
            <UntrustedText text={tool.name} />
          </TextLink>
          <span className="text-fg-3 text-xs">{tool.server}</span>
          {tool.removed && (
            <Badge tone="warning" plain>
              no longer offered
            </Badge>
          )}
        </li>
      ))}
    </ul>
  );
}

function VersionChange({ version, before }: { version: SetVersion; before: SetVersion | null }) {
  if (!before)
    return <p className="text-fg-2 text-xs">The first version, with {version.tools.length} tools.</p>;
  const added = version.tools.filter((tool) => !before.tools.some((old) => old.toolId === tool.toolId));
  const removed = before.tools.filter((tool) => !version.tools.some((now) => now.toolId === tool.toolId));
  return <Changes added={added} removed={removed} />;
}

function Changes({
  added,
  removed,
}: {
  added: { toolId: string; name: string; server: string }[];
  removed: { toolId: string; name: string; server: string }[];
}) {
  if (added.length + removed.length === 0) return <p className="text-fg-2 text-xs">The same tools.</p>;
  return (
    <div className="overflow-hidden rounded-md border border-line">
      <DiffList label="Changed tools">
        {added.map((tool) => (
          <DiffLine key={tool.toolId} kind="added" what={<ToolName tool={tool} />} />
        ))}
        {removed.map((tool) => (
          <DiffLine key={tool.toolId} kind="removed" what={<ToolName tool={tool} />} />
        ))}
      </DiffList>
    </div>
  );
}

function ToolName({ tool }: { tool: { name: string; server: string } }) {
  return (
    <>
      <span className="break-all font-mono text-xs">
        <UntrustedText text={tool.name} />
      </span>{' '}
      <span className="font-normal text-fg-3 text-xs">{tool.server}</span>
    </>
  );
}

function NewVersion({
  set,
  latest,
  servers,
  change,
  onClose,
}: {
  set: ToolSet;
  latest: SetVersion;
  servers: PickableServer[];
  change: ChangeAction;
  onClose: () => void;
}) {
  const offered = servers.flatMap((server) =>
    server.tools.map((tool) => ({ toolId: tool.toolId, name: tool.name, server: server.name })),
  );
  const current = new Set(latest.tools.map((tool) => tool.toolId));
  const [chosen, setChosen] = useState<ReadonlySet<string>>(
    new Set(offered.map((tool) => tool.toolId).filter((id) => current.has(id))),
  );
  const { run, pending, problem } = useAction(change);
  const added = offered.filter((tool) => chosen.has(tool.toolId) && !current.has(tool.toolId));
  const removed = latest.tools.filter((tool) => !chosen.has(tool.toolId));
  const bound = set.versions.reduce((sum, version) => sum + version.bindings, 0);
  return (
    <Card title={`Version ${latest.version + 1}`} description={`${chosen.size} tools`}>
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <ToolPicker servers={servers} chosen={chosen} onChange={setChosen} />
        <div className="grid gap-3 lg:sticky lg:top-16">
          <ActionProblemNote problem={problem} />
          <h3 className="font-medium text-sm">What changes</h3>
          <Changes added={added} removed={removed} />
          <Callout tone="info" title="This widens nobody">
            {bound > 0
              ? `${bound} live ${bound === 1 ? 'binding keeps' : 'bindings keep'} the version approved for ${bound === 1 ? 'it' : 'them'}. `
              : ''}
            Only new requests start from the new version, and each is approved tool by tool.
          </Callout>
          <div className="flex flex-wrap justify-end gap-2">
            <Button onClick={onClose} disabled={pending}>
              Cancel
            </Button>
            <Button
              variant="primary"
              pending={pending}
              disabledReason={
                chosen.size === 0
                  ? 'Choose at least one tool.'
                  : added.length + removed.length === 0
                    ? 'Nothing is changed yet.'
                    : null
              }
              onClick={() =>
                run(
                  { toolSetId: set.id, fromVersion: latest.version, toolIds: [...chosen] },
                  ({ version }) => {
                    notify({ tone: 'success', title: `Version ${version} of ${set.name}` });
                    onClose();
                  },
                )
              }
            >
              Save version {latest.version + 1}
            </Button>
          </div>
        </div>
      </div>
    </Card>
  );
}
