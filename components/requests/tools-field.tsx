'use client';

import { ChevronRight } from 'lucide-react';
import { ToolPicker } from '#components/claim/tool-picker.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Select } from '#components/ui/select.tsx';
import type { DraftContent } from '#lib/approvals/draft-content.ts';
import type { Composer } from '#lib/approvals/read-composer.ts';

/** Chosen tools by id, and through which version of a tool set each was chosen. */
export type ToolsDraft = DraftContent['tools'];

/** Tools of every server, each server folded away until it is needed, with tool sets as a shortcut. */
export function ToolsField({
  servers,
  toolSets,
  openServers = [],
  value,
  onChange,
  errors,
}: {
  servers: Composer['servers'];
  toolSets: Composer['toolSets'];
  /** Servers to show unfolded before a tool of theirs is chosen. */
  openServers?: readonly string[];
  value: ToolsDraft;
  onChange: (value: ToolsDraft) => void;
  errors: Readonly<Record<string, string>>;
}) {
  const offered = new Set(servers.flatMap((server) => server.tools.map((tool) => tool.toolId)));
  const addSet = (versionId: string) => {
    const set = toolSets.find((each) => each.versionId === versionId);
    if (!set) return;
    const ids = set.toolIds.filter((toolId) => offered.has(toolId));
    onChange({
      chosen: {
        ...Object.fromEntries(ids.map((toolId) => [toolId, { justification: '' }])),
        ...value.chosen,
      },
      sets: { ...value.sets, ...Object.fromEntries(ids.map((toolId) => [toolId, versionId])) },
    });
  };
  return (
    <div id="field-tools" tabIndex={-1} className="grid gap-3 outline-none">
      {errors.tools && (
        <p role="alert" className="text-danger text-xs">
          {errors.tools}
        </p>
      )}
      {toolSets.length > 0 && (
        <Select
          aria-label="Add the tools of a set"
          className="max-w-80"
          placeholder="Add the tools of a set…"
          value={null}
          options={toolSets.map((set) => ({
            value: set.versionId,
            label: `${set.name}, version ${set.version}`,
            hint: set.purpose || `${set.toolIds.length} tools`,
          }))}
          onValueChange={addSet}
        />
      )}
      {servers.length === 0 && (
        <p className="text-fg-2 text-sm">No MCP server is in the catalogue yet. An admin adds one.</p>
      )}
      {servers.map((server) => {
        const count = server.tools.filter((tool) => value.chosen[tool.toolId]).length;
        return (
          <details
            key={server.id}
            open={servers.length === 1 || count > 0 || openServers.includes(server.id)}
            className="group/server rounded-md border border-line"
          >
            <summary className="flex min-h-10 cursor-pointer list-none items-center gap-2 rounded-md px-3 py-2 hover:bg-hover">
              <ChevronRight
                aria-hidden
                className="size-4 shrink-0 text-fg-3 transition-transform group-open/server:rotate-90"
              />
              <span className="min-w-0 flex-1">
                <span className="font-medium text-sm">{server.name}</span>
                <span className="block truncate font-mono text-2xs text-fg-3">{server.resource}</span>
              </span>
              <Badge tone={count > 0 ? 'violet' : 'neutral'} plain={count === 0}>
                {count > 0 ? `${count} of ${server.tools.length}` : `${server.tools.length} tools`}
              </Badge>
            </summary>
            <div className="border-line border-t p-3">
              <ToolPicker
                tools={server.tools}
                chosen={value.chosen}
                onChange={(chosen) => onChange({ ...value, chosen: { ...chosen } })}
                errors={errors}
              />
            </div>
          </details>
        );
      })}
    </div>
  );
}
