'use client';

import { ArrowRight } from 'lucide-react';
import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { DiffLine, DiffList } from '#components/console/diff-line.tsx';
import { ClassMark, RiskMark } from '#components/console/marks.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Select } from '#components/ui/select.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { CatalogueTool } from '#lib/catalogue/read-catalogue.ts';
import type { Succession } from '#lib/catalogue/rename-tool.ts';
import { diffDefinitions } from './diff-definitions.ts';

export type RenameAction = Action<
  { fromToolId: string; toToolId: string; fromDigest: string; toDigest: string; reason?: string },
  { id: string }
>;

/** Tools that went away, and what they go on as where somebody said so. Absent where there are none. */
export function GoneTools({
  tools,
  successions,
  rename,
}: {
  tools: CatalogueTool[];
  successions: Succession[];
  /** Null for those who may not say so. */
  rename: RenameAction | null;
}) {
  const gone = tools.filter((tool) => tool.removedAt !== null);
  const [asking, setAsking] = useState<CatalogueTool | null>(null);
  if (gone.length === 0) return null;
  const offered = tools.filter((tool) => tool.removedAt === null);
  return (
    <Card
      flush
      id="gone"
      title="No longer offered"
      description="Nobody can call these. If one only changed its name, say so: its holders then find the new one in their change request."
    >
      <ul className="divide-y divide-line">
        {gone.map((tool) => {
          const known = successions.find((each) => each.from === tool.name);
          return (
            <li key={tool.toolId} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2 text-sm">
              <span className="font-mono text-xs">
                <UntrustedText text={tool.name} />
              </span>
              {known ? (
                <span className="inline-flex flex-wrap items-center gap-x-2 text-fg-2 text-xs">
                  <ArrowRight aria-label="goes on as" className="size-3.5" />
                  <span className="font-mono text-fg">
                    <UntrustedText text={known.to} />
                  </span>
                  {known.decidedBy ? `said ${known.decidedBy}` : 'said'} <RelativeTime at={known.decidedAt} />
                </span>
              ) : (
                <span className="text-fg-3 text-xs">
                  gone since <RelativeTime at={tool.removedAt} />
                </span>
              )}
              {rename && offered.length > 0 && (
                <Button
                  size="sm"
                  className="ml-auto"
                  aria-label={`${known ? 'Change…' : 'It was renamed…'} ${tool.name}`}
                  onClick={() => setAsking(tool)}
                >
                  {known ? 'Change…' : 'It was renamed…'}
                </Button>
              )}
            </li>
          );
        })}
      </ul>
      {asking && rename && (
        <RenameDialog from={asking} offered={offered} rename={rename} onClose={() => setAsking(null)} />
      )}
    </Card>
  );
}

function RenameDialog({
  from,
  offered,
  rename,
  onClose,
}: {
  from: CatalogueTool;
  offered: CatalogueTool[];
  rename: RenameAction;
  onClose: () => void;
}) {
  const [toId, setToId] = useState<string | null>(null);
  const [reason, setReason] = useState('');
  const { run, pending, problem } = useAction(rename);
  const to = offered.find((tool) => tool.toolId === toId) ?? null;
  // The likeliest first: those that appeared after this one was last seen.
  const choices = [...offered].sort((a, b) => b.firstSeenAt.getTime() - a.firstSeenAt.getTime());
  return (
    <Dialog
      open
      size="lg"
      onOpenChange={(next) => !next && !pending && onClose()}
      title="A tool goes on under another name"
      description="Nothing is granted by this. Approvals stay as they are, and a request for the new name is reviewed like any other."
      footer={
        <>
          <DialogClose>
            <Button disabled={pending}>Cancel</Button>
          </DialogClose>
          <Button
            variant="primary"
            pending={pending}
            disabledReason={to ? null : 'Choose what it is called now.'}
            onClick={() => {
              if (!to) return;
              run(
                {
                  fromToolId: from.toolId,
                  toToolId: to.toolId,
                  fromDigest: from.definitionDigest,
                  toDigest: to.definitionDigest,
                  reason,
                },
                () => {
                  notify({
                    tone: 'success',
                    title: 'Its holders are told',
                    description: 'They find the new name in their change request.',
                  });
                  onClose();
                },
              );
            }}
          >
            It is the same tool
          </Button>
        </>
      }
    >
      <div className="grid gap-4">
        <ActionProblemNote problem={problem} labels={{ reason: 'Where you know it from' }} />
        <Field name="to" label={`What ${from.name} is called now`} required>
          <Select
            value={toId}
            onValueChange={setToId}
            options={choices.map((tool) => ({
              value: tool.toolId,
              label: tool.name,
              hint: tool.title ?? undefined,
            }))}
          />
        </Field>
        {to && <SideBySide from={from} to={to} />}
        <Field
          name="reason"
          label="Where you know it from"
          optional
          error={issueFor(problem, 'reason')}
          hint="Kept in the history."
        >
          <Textarea
            rows={2}
            maxLength={500}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </Field>
      </div>
    </Dialog>
  );
}

function SideBySide({ from, to }: { from: CatalogueTool; to: CatalogueTool }) {
  const same = from.definitionDigest === to.definitionDigest;
  const lines = same ? [] : diffDefinitions(from, to);
  return (
    <section aria-label="Both definitions" className="grid gap-3">
      <div className="grid gap-3 sm:grid-cols-2">
        {[
          { title: 'Before', tool: from },
          { title: 'Now', tool: to },
        ].map(({ title, tool }) => (
          <div key={title} className="grid content-start gap-1.5 rounded-md border border-line p-3 text-sm">
            <div className="text-fg-3 text-xs">{title}</div>
            <div className="break-all font-mono">
              <UntrustedText text={tool.name} />
            </div>
            <div className="flex flex-wrap gap-2">
              <ClassMark toolClass={tool.class} plain />
              <RiskMark risk={tool.risk} plain />
            </div>
            <div className="max-h-32 overflow-y-auto text-fg-2 text-xs">
              <UntrustedText text={tool.description || 'No description.'} multiline />
            </div>
          </div>
        ))}
      </div>
      {lines.length > 0 && (
        <div className="max-h-64 overflow-y-auto rounded-md border border-line">
          <DiffList label="What differs">
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
      )}
      {from.class !== to.class && (
        <Callout tone="warning" title="They are not classed alike">
          What agents held was {from.class}; this one is {to.class}.
        </Callout>
      )}
    </section>
  );
}
