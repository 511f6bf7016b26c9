'use client';

import { diffWordsWithSpace } from 'diff';
import { ChevronRight, TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import { ClassMark, RiskMark } from '#components/console/marks.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Checkbox } from '#components/ui/checkbox.tsx';
import { cn } from '#components/ui/cn.ts';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import type { Constraint } from '#lib/agents/snapshot.ts';
import type { ToolLineView } from '#lib/approvals/views.ts';
import { assessText, revealHidden } from '#lib/platform/text.ts';
import { LimitEditor } from './limit-editor.tsx';

/** One tool as a reviewer weighs it: what it can do, why it is asked for, and everything a model is told about it. */
export function ToolReview({
  tool,
  isNew,
  kept,
  takenEarlier,
  limits,
  readOnly,
  onKeep,
  onLimits,
}: {
  tool: ToolLineView;
  /** The agent was approved before, without this tool. */
  isNew: boolean;
  kept: boolean;
  /** An earlier vote took it out already. */
  takenEarlier: boolean;
  limits: readonly Constraint[];
  readOnly: boolean;
  onKeep: (kept: boolean) => void;
  onLimits: (limits: Constraint[]) => void;
}) {
  const warnings = warningsOf(tool);
  const [open, setOpen] = useState(tool.change === 'changed' || warnings.length > 0);
  const refused = tool.verdict.outcome === 'deny';
  const detailsId = `tool-${tool.toolId}`;
  return (
    <li className="grid gap-1.5 border-line border-b px-4 py-2.5 last:border-b-0">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-1.5">
        <div className="flex min-w-0 flex-1 basis-60 items-start gap-1.5">
          {readOnly ? null : (
            <Checkbox
              hideLabel
              label={`Keep ${tool.name}`}
              checked={kept}
              disabled={takenEarlier}
              onCheckedChange={(on) => onKeep(on)}
            />
          )}
          <div className="min-w-0 pt-0.5">
            <span className={cn('break-all font-medium font-mono text-sm', !kept && 'text-fg-3')}>
              {kept ? (
                <UntrustedText text={tool.name} />
              ) : (
                <s className="decoration-danger">
                  <UntrustedText text={tool.name} />
                </s>
              )}
            </span>
            {tool.title && tool.title !== tool.name && (
              <span className="ml-2 text-fg-3 text-xs">
                <UntrustedText text={tool.title} />
              </span>
            )}
          </div>
        </div>
        <span className="flex flex-wrap items-center gap-1.5">
          {isNew && <Badge tone="warning">New</Badge>}
          {tool.change === 'changed' && <Badge tone="warning">Definition changed</Badge>}
          {refused && <Badge tone="danger">Policy refuses</Badge>}
          {takenEarlier && <Badge tone="neutral">Taken out by an earlier vote</Badge>}
          <ClassMark toolClass={tool.class} />
          <RiskMark risk={tool.risk} />
        </span>
      </div>
      <div className={cn('grid gap-1.5', !readOnly && 'pl-7.5')}>
        {tool.justification ? (
          <p className="text-sm">
            <span className="text-fg-3">Asked because: </span>
            <UntrustedText text={tool.justification} />
          </p>
        ) : (
          tool.class !== 'read' && <p className="text-fg-3 text-xs">No reason given.</p>
        )}
        {refused &&
          tool.verdict.reasons.map((reason) => (
            <p key={reason.code} className="text-danger text-xs">
              {reason.text}
            </p>
          ))}
        {warnings.map((warning) => (
          <p key={warning} className="flex items-start gap-1.5 text-warning text-xs">
            <TriangleAlert aria-hidden className="mt-0.5 size-3.5 shrink-0" />
            <span>{warning}</span>
          </p>
        ))}
        {!open && tool.description && (
          <p className="line-clamp-2 text-fg-2 text-xs">
            <UntrustedText text={tool.description.slice(0, 300)} />
          </p>
        )}
        <div className="flex flex-wrap items-start gap-x-4 gap-y-1">
          <button
            type="button"
            aria-expanded={open}
            aria-controls={detailsId}
            onClick={() => setOpen(!open)}
            className="-ml-1 inline-flex min-h-6 items-center gap-1 rounded-xs px-1 text-accent text-xs hover:underline pointer-coarse:min-h-11"
          >
            <ChevronRight aria-hidden className={cn('size-3.5 transition-transform', open && 'rotate-90')} />
            Definition, version {tool.version}
          </button>
          <LimitEditor
            toolName={tool.name}
            inputSchema={tool.inputSchema}
            asked={tool.constraints}
            added={limits}
            onChange={onLimits}
            disabled={readOnly || !kept}
          />
        </div>
        <div id={detailsId} hidden={!open} className="print-expand grid gap-3 pb-1">
          <p className="max-w-[80ch] text-sm">
            {tool.previous ? (
              <ChangedText before={tool.previous.description} after={tool.description} />
            ) : (
              <UntrustedText text={tool.description || 'The server gives no description.'} multiline />
            )}
          </p>
          <DescriptionList
            columns={2}
            items={[
              {
                term: 'Class',
                value: tool.classConfirmed ? 'Confirmed by a person' : 'Only proposed from hints',
                hint: tool.classReason,
              },
              { term: 'Server’s own hints', value: <UntrustedText text={describeHints(tool.hints)} /> },
              {
                term: 'Held by',
                value:
                  tool.holders === 0
                    ? 'no other agent'
                    : `${tool.holders} other active ${tool.holders === 1 ? 'agent' : 'agents'}`,
              },
              {
                term: 'Definition',
                value: <code className="break-all text-2xs">{tool.definitionDigest}</code>,
              },
            ]}
          />
          {tool.previous && (
            <CodeBlock
              wrap
              maxHeight="14rem"
              label={`Input schema of version ${tool.previous.version}, approved last`}
              code={revealHidden(JSON.stringify(tool.previous.inputSchema, null, 2), { multiline: true })}
            />
          )}
          <CodeBlock
            wrap
            maxHeight="18rem"
            label="Input schema"
            code={revealHidden(JSON.stringify(tool.inputSchema, null, 2), { multiline: true })}
          />
        </div>
      </div>
    </li>
  );
}

/** What is odd about the texts a model reads: they come from the server and may be written for the model. */
function warningsOf(tool: ToolLineView): string[] {
  const findings = assessText(`${tool.description}\n${JSON.stringify(tool.inputSchema) ?? ''}`, {
    multiline: true,
  });
  return [
    findings.instructionLike.length > 0 &&
      `Reads like instructions to a model: “${findings.instructionLike[0]}”`,
    findings.hiddenCharacters > 0 &&
      `${findings.hiddenCharacters} hidden characters, shown by their code point`,
    findings.bidirectionalControls && 'Contains characters that reverse the reading direction',
  ].filter((warning) => warning !== false);
}

function describeHints(hints: Record<string, unknown>): string {
  const given = Object.entries(hints).filter(([name]) => name !== 'title');
  if (given.length === 0) return 'none: counted as the worst';
  return given.map(([name, value]) => `${name}: ${String(value)}`).join(', ');
}

function ChangedText({ before, after }: { before: string; after: string }) {
  let offset = 0;
  const parts = diffWordsWithSpace(before, after).map((part) => {
    offset += part.value.length;
    return { ...part, key: `${offset}${part.added ? '+' : part.removed ? '-' : ''}` };
  });
  return parts.map((part) => {
    const text = <UntrustedText text={part.value} multiline />;
    if (part.added) {
      return (
        <ins key={part.key} className="rounded-xs bg-success-bg px-0.5 text-success no-underline">
          {text}
        </ins>
      );
    }
    if (part.removed) {
      return (
        <del key={part.key} className="rounded-xs bg-danger-bg px-0.5 text-danger">
          {text}
        </del>
      );
    }
    return <span key={part.key}>{text}</span>;
  });
}
