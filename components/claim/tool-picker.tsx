'use client';

import { useId, useState } from 'react';
import { ClassMark, RiskMark } from '#components/console/marks.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Button } from '#components/ui/button.tsx';
import { Checkbox } from '#components/ui/checkbox.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';

export type PickableTool = {
  toolId: string;
  name: string;
  title: string | null;
  description: string;
  class: string;
  risk: string;
  isConfirmed: boolean;
};

/** Chosen tools by id, each with why it is needed. */
export type ChosenTools = Readonly<Record<string, { justification: string }>>;

const classOrder = ['read', 'write', 'external', 'destructive', 'unclassified'];
const classTitles: Record<string, string> = {
  read: 'Read',
  write: 'Write',
  external: 'Reach other systems',
  destructive: 'Delete or cannot be undone',
  unclassified: 'Not classified yet',
};

/** Whether a tool is of a kind its owner has to justify. */
export function needsJustification(tool: Pick<PickableTool, 'class' | 'risk'>): boolean {
  return tool.class !== 'read' || tool.risk === 'high';
}

/** The tools of one server, harmless ones first, each with what it does and what it can break. */
export function ToolPicker({
  tools,
  chosen,
  onChange,
  errors = {},
}: {
  tools: readonly PickableTool[];
  chosen: ChosenTools;
  onChange: (chosen: ChosenTools) => void;
  /** Messages by tool id. */
  errors?: Readonly<Record<string, string>>;
}) {
  const [search, setSearch] = useState('');
  const needle = search.trim().toLowerCase();
  const shown = tools.filter(
    (tool) =>
      !needle || tool.name.toLowerCase().includes(needle) || tool.description.toLowerCase().includes(needle),
  );
  const groups = classOrder
    .map((toolClass) => [toolClass, shown.filter((tool) => tool.class === toolClass)] as const)
    .filter(([, members]) => members.length > 0);
  const toggle = (tool: PickableTool, on: boolean) => {
    const { [tool.toolId]: current, ...rest } = chosen;
    onChange(on ? { ...rest, [tool.toolId]: current ?? { justification: '' } } : rest);
  };
  const setAll = (members: readonly PickableTool[], on: boolean) => {
    const next: Record<string, { justification: string }> = { ...chosen };
    for (const tool of members) {
      if (on) next[tool.toolId] ??= { justification: '' };
      else delete next[tool.toolId];
    }
    onChange(next);
  };
  if (tools.length === 0) {
    return (
      <p className="text-fg-2 text-sm">
        This server has no tools in the catalogue yet. An admin can sync it.
      </p>
    );
  }
  return (
    <div className="grid gap-4">
      {tools.length > 8 && (
        <Field name="tool-search" label="Find a tool" hideLabel>
          <Input
            type="search"
            value={search}
            placeholder="Find a tool by name or effect"
            onChange={(event) => setSearch(event.target.value)}
          />
        </Field>
      )}
      {shown.length === 0 && <p className="text-fg-2 text-sm">No tool matches “{search}”.</p>}
      {groups.map(([toolClass, members]) => {
        const all = members.every((tool) => chosen[tool.toolId]);
        return (
          <section key={toolClass} aria-label={classTitles[toolClass] ?? toolClass} className="grid gap-1">
            <div className="flex items-center justify-between gap-3">
              <h3 className="font-medium text-fg-2 text-xs">{classTitles[toolClass] ?? toolClass}</h3>
              {members.length > 1 && (
                <Button variant="ghost" size="sm" onClick={() => setAll(members, !all)}>
                  {all ? 'Clear' : `Select ${members.length}`}
                </Button>
              )}
            </div>
            <ul className="grid divide-y divide-line rounded-md border border-line">
              {members.map((tool) => (
                <ToolRow
                  key={tool.toolId}
                  tool={tool}
                  choice={chosen[tool.toolId]}
                  error={errors[tool.toolId]}
                  onToggle={(on) => toggle(tool, on)}
                  onJustify={(justification) => onChange({ ...chosen, [tool.toolId]: { justification } })}
                />
              ))}
            </ul>
          </section>
        );
      })}
    </div>
  );
}

function ToolRow({
  tool,
  choice,
  error,
  onToggle,
  onJustify,
}: {
  tool: PickableTool;
  choice: { justification: string } | undefined;
  error: string | undefined;
  onToggle: (on: boolean) => void;
  onJustify: (justification: string) => void;
}) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const long = tool.description.length > 160;
  return (
    <li className="grid gap-2 px-3 py-2.5">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-1">
        <Checkbox
          checked={choice !== undefined}
          onCheckedChange={(on) => onToggle(on)}
          aria-describedby={`${id}-effect`}
          className="min-w-0 flex-1 basis-48"
          label={
            <span className="break-all font-mono text-sm">
              <UntrustedText text={tool.name} />
            </span>
          }
        />
        <span className="flex flex-wrap items-center gap-1.5">
          <ClassMark toolClass={tool.class} />
          <RiskMark risk={tool.risk} />
          {!tool.isConfirmed && tool.class !== 'unclassified' && <Badge tone="neutral">Proposed</Badge>}
        </span>
      </div>
      {tool.description && (
        <p id={`${id}-effect`} className="pl-7 text-fg-2 text-xs">
          <UntrustedText
            text={long && !open ? `${tool.description.slice(0, 150)}…` : tool.description}
            multiline={open}
          />
          {long && (
            <button
              type="button"
              aria-expanded={open}
              onClick={() => setOpen(!open)}
              className="ml-1 min-h-6 rounded-xs text-accent underline-offset-2 hover:underline"
            >
              {open ? 'Less' : 'More'}
            </button>
          )}
        </p>
      )}
      {choice && needsJustification(tool) && (
        <Field
          name={`justification-${tool.toolId}`}
          label={`Why ${tool.name} is needed`}
          error={error}
          required
          className="pl-7"
        >
          <Input
            value={choice.justification}
            maxLength={500}
            onChange={(event) => onJustify(event.target.value)}
            placeholder="What would not work without it"
          />
        </Field>
      )}
    </li>
  );
}
