'use client';

import { useState } from 'react';
import { SearchInput } from '#components/console/filters.tsx';
import { ClassMark, RiskMark } from '#components/console/marks.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Checkbox } from '#components/ui/checkbox.tsx';
import type { PickableServer } from './pickable.ts';

/** Tools by server, each with what it may do. */
export function ToolPicker({
  servers,
  chosen,
  onChange,
}: {
  servers: PickableServer[];
  chosen: ReadonlySet<string>;
  onChange: (chosen: Set<string>) => void;
}) {
  const [text, setText] = useState('');
  const wanted = text.trim().toLowerCase();
  const set = (ids: readonly string[], on: boolean) => {
    const next = new Set(chosen);
    for (const id of ids) {
      if (on) next.add(id);
      else next.delete(id);
    }
    onChange(next);
  };
  return (
    <div className="grid gap-3">
      <SearchInput value={text} onSearch={setText} label="Find tools" />
      {servers.map((server) => {
        const shown = server.tools.filter((tool) =>
          `${tool.name} ${tool.description}`.toLowerCase().includes(wanted),
        );
        if (shown.length === 0) return null;
        const ids = shown.map((tool) => tool.toolId);
        const count = ids.filter((id) => chosen.has(id)).length;
        return (
          <fieldset key={server.id} className="min-w-0 overflow-hidden rounded-md border border-line">
            <legend className="sr-only">{server.name}</legend>
            <div className="flex items-center justify-between gap-3 border-line border-b bg-sunken px-3 py-1.5">
              <Checkbox
                label={<span className="font-medium">{server.name}</span>}
                checked={count === ids.length}
                indeterminate={count > 0 && count < ids.length}
                onCheckedChange={(on) => set(ids, on)}
              />
              <span className="text-fg-3 text-xs">
                {count} of {ids.length}
              </span>
            </div>
            <ul>
              {shown.map((tool) => (
                <li
                  key={tool.toolId}
                  className="flex flex-wrap items-start justify-between gap-x-4 gap-y-0.5 border-line border-b px-3 py-1.5 last:border-b-0"
                >
                  <Checkbox
                    className="min-w-0 flex-1 basis-56"
                    label={
                      <span className="break-all font-mono text-xs">
                        <UntrustedText text={tool.name} />
                      </span>
                    }
                    hint={<UntrustedText text={tool.description} />}
                    checked={chosen.has(tool.toolId)}
                    onCheckedChange={(on) => set([tool.toolId], on)}
                  />
                  <span className="flex gap-3 pt-0.5">
                    <ClassMark toolClass={tool.class} plain />
                    <RiskMark risk={tool.risk} plain />
                  </span>
                </li>
              ))}
            </ul>
          </fieldset>
        );
      })}
    </div>
  );
}
