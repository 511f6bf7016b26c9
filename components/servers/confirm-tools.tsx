'use client';

import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { ClassMark, RiskMark } from '#components/console/marks.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import { Select } from '#components/ui/select.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { CatalogueTool } from '#lib/catalogue/read-catalogue.ts';
import type { ClassifyLine } from './types.ts';

type Draft = { class: ClassifyLine['class'] | null; risk: ClassifyLine['risk'] };

const classOptions = [
  { value: 'read', label: 'Read', hint: 'changes nothing' },
  { value: 'write', label: 'Write', hint: 'creates or changes' },
  { value: 'destructive', label: 'Destructive', hint: 'deletes, cannot be undone' },
  { value: 'external', label: 'External', hint: 'reaches other systems' },
] as const;
const riskOptions = [
  { value: 'low', label: 'Low' },
  { value: 'medium', label: 'Medium' },
  { value: 'high', label: 'High' },
] as const;

/** A person says what tools do. Each starts from its proposal, or from what was confirmed before. */
export function ConfirmTools({
  serverId,
  tools,
  classify,
  onClose,
}: {
  serverId: string;
  tools: CatalogueTool[];
  classify: Action<{ serverId: string; tools: ClassifyLine[] }, void>;
  onClose: (done: boolean) => void;
}) {
  const [drafts, setDrafts] = useState(() => new Map(tools.map((tool) => [tool.toolId, startFrom(tool)])));
  const { run, pending, problem } = useAction(classify);
  const set = (toolId: string, change: Partial<Draft>) =>
    setDrafts((before) => new Map(before).set(toolId, { ...(before.get(toolId) as Draft), ...change }));
  const lines = tools.flatMap((tool) => {
    const draft = drafts.get(tool.toolId);
    return draft?.class ? [{ toolVersionId: tool.toolVersionId, class: draft.class, risk: draft.risk }] : [];
  });
  const missing = tools.length - lines.length;
  const allUnset = (value: ClassifyLine['class'], risk: ClassifyLine['risk']) =>
    setDrafts(
      (before) =>
        new Map([...before].map(([id, draft]) => [id, draft.class ? draft : { class: value, risk }])),
    );
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && !pending && onClose(false)}
      size="lg"
      title={`Confirm ${tools.length} ${tools.length === 1 ? 'tool' : 'tools'}`}
      description="Each line starts from what the server says about itself. Change what you know better; it is recorded that you confirmed it."
      footer={
        <>
          <span className="mr-auto self-center text-fg-2 text-xs" role="status">
            {missing > 0
              ? `${missing} ${missing === 1 ? 'tool has' : 'tools have'} no class yet`
              : 'Every tool has a class'}
          </span>
          <DialogClose>
            <Button disabled={pending}>Cancel</Button>
          </DialogClose>
          <Button
            variant="primary"
            pending={pending}
            disabledReason={lines.length === 0 ? 'Choose a class for at least one tool.' : null}
            onClick={() =>
              run({ serverId, tools: lines }, () => {
                notify({
                  tone: 'success',
                  title: `${lines.length} ${lines.length === 1 ? 'tool' : 'tools'} confirmed`,
                  description: 'Guards know it already.',
                });
                onClose(true);
              })
            }
          >
            {missing > 0 && lines.length > 0
              ? `Confirm ${lines.length} of ${tools.length}`
              : `Confirm ${lines.length}`}
          </Button>
        </>
      }
    >
      <div className="grid gap-3">
        <ActionProblemNote problem={problem} />
        {missing > 0 && (
          <div className="flex flex-wrap items-center gap-2 text-fg-2 text-xs">
            Where nothing is proposed:
            <Button size="sm" onClick={() => allUnset('read', 'low')}>
              all Read, low
            </Button>
            <Button size="sm" onClick={() => allUnset('write', 'medium')}>
              all Write, medium
            </Button>
            <Button size="sm" onClick={() => allUnset('destructive', 'high')}>
              all Destructive, high
            </Button>
          </div>
        )}
        <ul className="grid overflow-hidden rounded-md border border-line">
          {tools.map((tool) => {
            const draft = drafts.get(tool.toolId) as Draft;
            return (
              <li
                key={tool.toolId}
                className="grid gap-x-3 gap-y-1.5 border-line border-b px-3 py-2.5 last:border-b-0 sm:grid-cols-[minmax(0,1fr)_8.5rem_6.5rem]"
              >
                <div className="min-w-0">
                  <div className="flex flex-wrap items-center gap-x-2 gap-y-1 font-mono text-xs">
                    <span className="break-all font-medium">
                      <UntrustedText text={tool.name} />
                    </span>
                    {tool.confirmedAt && <ClassMark toolClass={tool.class} plain />}
                    {tool.confirmedAt && <RiskMark risk={tool.risk} plain />}
                  </div>
                  <div className="line-clamp-2 text-fg-2 text-xs">
                    <UntrustedText text={tool.description || tool.title || 'No description.'} />
                  </div>
                  <div className="text-fg-3 text-xs">{tool.proposedReason}</div>
                </div>
                <Select
                  size="sm"
                  aria-label={`Class of ${tool.name}`}
                  placeholder="Choose class"
                  value={draft.class}
                  onValueChange={(value) => set(tool.toolId, { class: value })}
                  options={classOptions}
                />
                <Select
                  size="sm"
                  aria-label={`Risk of ${tool.name}`}
                  value={draft.risk}
                  onValueChange={(value) => set(tool.toolId, { risk: value })}
                  options={riskOptions}
                />
              </li>
            );
          })}
        </ul>
      </div>
    </Dialog>
  );
}

function startFrom(tool: CatalogueTool): Draft {
  const [from, risk] = tool.confirmedAt ? [tool.class, tool.risk] : [tool.proposedClass, tool.proposedRisk];
  return {
    class: from === 'unclassified' ? null : (from as Draft['class']),
    risk: risk as Draft['risk'],
  };
}
