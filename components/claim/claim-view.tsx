'use client';

import { useEffect, useMemo, useRef, useState, useTransition } from 'react';
import { Countdown } from '#components/console/relative-time.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Dossier } from '#components/evidence/dossier.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { Field } from '#components/ui/field.tsx';
import { type FormError, FormErrorSummary } from '#components/ui/form-error-summary.tsx';
import { Input } from '#components/ui/input.tsx';
import { RadioGroup } from '#components/ui/radio-group.tsx';
import { Select } from '#components/ui/select.tsx';
import type { OpenedHandle } from '#lib/registration/open-handle.ts';
import { type PurposeDraft, PurposeFields } from './purpose-fields.tsx';
import { type ChosenTools, needsJustification, type PickableTool, ToolPicker } from './tool-picker.tsx';
import { type Preview, VerdictPreview } from './verdict-preview.tsx';

export type ClaimableServer = { id: string; name: string; resource: string; tools: PickableTool[] };

export type ClaimInput = {
  handle: string;
  claimKey: string;
  serverId: string;
  agentName: string;
  deputyId: null;
  purpose: {
    task: string;
    systems: string[];
    dataClass: PurposeDraft['dataClass'];
    attended: boolean;
    endCondition: string;
    ticket: string | null;
  };
  lifetimeSeconds: number;
  tools: { toolId: string; justification: string; constraints: never[]; toolSetVersionId: null }[];
};

type Problem = { detail: string; requestId: string; issues: readonly { path: string; message: string }[] };
export type ClaimActions = {
  submit(input: ClaimInput): Promise<{ ok: true } | { ok: false; problem: Problem }>;
  preview(input: {
    clientClass: 'interactive';
    attended: boolean;
    dataClass: PurposeDraft['dataClass'];
    tools: { toolId: string; justification: string; constraints: never[]; toolSetVersionId: null }[];
  }): Promise<{ ok: true; output: Preview } | { ok: false; problem: Problem }>;
};

const lifetimes = [
  { value: '28800', label: '8 hours' },
  { value: '86400', label: '1 day' },
  { value: '604800', label: '7 days' },
  { value: '2592000', label: '30 days' },
  { value: '7776000', label: '90 days' },
] as const;

type Draft = {
  serverId: string | null;
  agentName: string;
  purpose: PurposeDraft;
  lifetimeSeconds: string;
  chosen: ChosenTools;
};

/** The claim: who asks, on the right; what for and which tools, on the left; one press hands it to the approvers. */
export function ClaimView({
  handle,
  opened,
  servers,
  actions,
}: {
  handle: string;
  opened: OpenedHandle;
  servers: readonly ClaimableServer[];
  actions: ClaimActions;
}) {
  const [draft, setDraft] = useDraft(opened, servers);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [errors, setErrors] = useState<readonly FormError[]>([]);
  const [pending, startTransition] = useTransition();
  const server = servers.find((candidate) => candidate.id === draft.serverId) ?? null;
  const tools = server?.tools ?? [];
  const chosenTools = tools.filter((tool) => draft.chosen[tool.toolId]);
  const { preview, isStale } = usePreview(actions, draft, chosenTools);
  const byField = Object.fromEntries(
    errors.flatMap((error) => (error.name ? [[error.name, error.message]] : [])),
  );
  const toolErrors = Object.fromEntries(
    errors.flatMap((error) =>
      error.name?.startsWith('justification-')
        ? [[error.name.slice('justification-'.length), error.message]]
        : [],
    ),
  );
  const set = (changes: Partial<Draft>) => {
    const next = { ...draft, ...changes };
    setDraft(next);
    if (errors.length === 0) return;
    // What was mended stops being red at once; nothing new turns red while typing.
    const chosen = tools.filter((tool) => next.chosen[tool.toolId]);
    const wrong = new Set(check(next, chosen, server).map((error) => error.name));
    setErrors(errors.filter((error) => wrong.has(error.name)));
  };
  const client = opened.client.name || opened.client.id;
  const isRefused = !isStale && preview?.verdict.outcome === 'deny' && chosenTools.length > 0;

  function submit() {
    const found = check(draft, chosenTools, server);
    setErrors(found);
    setProblem(null);
    if (found.length > 0 || !server) return;
    startTransition(async () => {
      const answer = await actions.submit(toInput(handle, opened, draft, server, chosenTools));
      if (answer.ok) return;
      setProblem(answer.problem);
      setErrors(answer.problem.issues.map(({ path, message }) => ({ name: path, message })));
    });
  }

  const summary = `${chosenTools.length} ${chosenTools.length === 1 ? 'tool' : 'tools'}${server ? ` on ${server.name}` : ''}`;
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      className="grid gap-6 lg:grid-cols-[minmax(0,1fr)_21rem] lg:items-start"
    >
      <div className="grid gap-1 lg:col-span-2">
        <h1 className="font-semibold text-xl tracking-tight">
          <UntrustedText text={client} /> wants to connect{server ? ` to ${server.name}` : ''}
        </h1>
        <p className="max-w-[72ch] text-fg-2 text-sm">
          Say what it is for and which tools it needs. It gets nothing until an approver has agreed, and never
          more than you ask for here. You will be its owner.
        </p>
        <StandingNote opened={opened} />
        <noscript>
          <p className="text-warning text-sm">
            This form needs JavaScript. The waiting room after it does not.
          </p>
        </noscript>
      </div>

      <aside className="grid gap-4 lg:sticky lg:top-6 lg:order-2" aria-label="Who is asking">
        <Card title="Who is asking" description="What we know of its origin, and how.">
          <Dossier facts={opened.facts} />
          <Ambient opened={opened} />
        </Card>
      </aside>

      <div className="grid min-w-0 gap-6 lg:order-1">
        {(errors.length > 0 || problem) && (
          <FormErrorSummary
            title={problem && errors.length === 0 ? 'This was not submitted' : undefined}
            errors={errors.length > 0 ? errors : [{ message: problem?.detail ?? '' }]}
            requestId={problem?.requestId ?? null}
          />
        )}
        <Card title="What it is for">
          <div className="grid gap-4">
            <Field
              name="agentName"
              label="Call it"
              required
              error={byField.agentName}
              hint="How you and the approvers will find it"
            >
              <Input
                value={draft.agentName}
                maxLength={120}
                onChange={(event) => set({ agentName: event.target.value })}
              />
            </Field>
            <PurposeFields
              purpose={draft.purpose}
              onChange={(purpose) => set({ purpose })}
              errors={byField}
            />
          </div>
        </Card>
        <Card
          title="Tools"
          description={
            server
              ? `What ${server.name} offers. Pick what the work needs.`
              : 'The client did not say which server it is for.'
          }
        >
          <div className="grid gap-4">
            {!opened.server && (
              <Field name="serverId" label="Server" required error={byField.serverId}>
                <Select
                  options={servers.map((candidate) => ({
                    value: candidate.id,
                    label: candidate.name,
                    hint: candidate.resource,
                  }))}
                  value={draft.serverId}
                  onValueChange={(serverId) => set({ serverId, chosen: {} })}
                />
              </Field>
            )}
            {server && (
              <div id="field-tools" tabIndex={-1} className="outline-none">
                <ToolPicker
                  tools={tools}
                  chosen={draft.chosen}
                  onChange={(chosen) => set({ chosen })}
                  errors={toolErrors}
                />
              </div>
            )}
          </div>
        </Card>
        <Card
          title="For how long"
          description="Counted from its first use, so that waiting for a decision costs you nothing."
        >
          <Field name="lifetimeSeconds" label="Lifetime" hideLabel error={byField.lifetimeSeconds}>
            <RadioGroup
              layout="inline"
              aria-label="Lifetime"
              options={lifetimes}
              value={draft.lifetimeSeconds as (typeof lifetimes)[number]['value']}
              onValueChange={(lifetimeSeconds) => set({ lifetimeSeconds })}
            />
          </Field>
        </Card>
        <Card title="What happens next">
          <VerdictPreview preview={preview} isStale={isStale} />
        </Card>
        <div className="sticky bottom-0 -mx-1 flex flex-wrap items-center justify-between gap-3 border-line border-t bg-canvas px-1 py-3">
          <p className="text-fg-2 text-sm">
            {summary} · <span className="text-fg-3">the {opened.device ? 'device' : 'client'} waits, </span>
            <Countdown
              until={opened.deadlineAt}
              over="it has stopped waiting; ask anyway and sign in again later"
            />
          </p>
          <Button
            type="submit"
            variant="primary"
            size="lg"
            pending={pending}
            disabledReason={
              isRefused ? 'Policy refuses a tool you chose; see “What happens next”.' : undefined
            }
          >
            Ask for approval
          </Button>
        </div>
      </div>
    </form>
  );
}

/** Why this form is shown again, where it is. */
function StandingNote({ opened }: { opened: OpenedHandle }) {
  const request = opened.request ? `CS-${opened.request.number}` : 'An earlier request';
  const notes: Partial<Record<OpenedHandle['standing'], string>> = {
    rejected: `${request} was rejected${opened.request?.reason ? `: ${opened.request.reason}` : ''}. Approvers see that with this request.`,
    revoked: 'An earlier agent of this client was revoked. Approvers see that with this request.',
    expired: 'The earlier approval has ended. This asks for a new one.',
    'quarantine ended': 'Nobody claimed this client in time. You still can.',
    'metadata changed':
      'The client’s metadata is no longer what was approved. This asks for a review of what it says now.',
    'owner disabled': `${opened.formerOwner?.displayName ?? 'Somebody who has left'} held this client. This asks for one of your own.`,
  };
  const note = notes[opened.standing];
  if (!note) return null;
  return (
    <Callout tone="warning" className="mt-2">
      {note}
    </Callout>
  );
}

function Ambient({ opened }: { opened: OpenedHandle }) {
  const { sameFingerprint, sameSource } = opened.ambient;
  const parts = [
    sameFingerprint > 0 &&
      `${sameFingerprint} other ${sameFingerprint === 1 ? 'client looks' : 'clients look'} the same`,
    sameSource > 0 && `${sameSource} registered from the same address`,
  ].filter(Boolean);
  if (parts.length === 0) return null;
  return <p className="mt-3 border-line border-t pt-2 text-fg-3 text-xs">{parts.join(' · ')}.</p>;
}

function check(draft: Draft, chosen: readonly PickableTool[], server: ClaimableServer | null): FormError[] {
  const errors: FormError[] = [];
  if (draft.agentName.trim().length < 2) errors.push({ name: 'agentName', message: 'Give it a name.' });
  if (draft.purpose.task.trim().length < 10) {
    errors.push({ name: 'purpose.task', message: 'Say in a sentence what it will do.' });
  }
  if (draft.purpose.endCondition.trim().length < 3) {
    errors.push({ name: 'purpose.endCondition', message: 'Say when the work is done.' });
  }
  if (!server) errors.push({ name: 'serverId', message: 'Choose the server it is for.' });
  else if (chosen.length === 0) errors.push({ name: 'tools', message: 'Choose at least one tool.' });
  for (const tool of chosen) {
    if (needsJustification(tool) && (draft.chosen[tool.toolId]?.justification.trim().length ?? 0) < 3) {
      errors.push({ name: `justification-${tool.toolId}`, message: `Say why ${tool.name} is needed.` });
    }
  }
  return errors;
}

function toTools(draft: Draft, chosen: readonly PickableTool[]) {
  return chosen.map((tool) => ({
    toolId: tool.toolId,
    justification: draft.chosen[tool.toolId]?.justification.trim() ?? '',
    constraints: [] as never[],
    toolSetVersionId: null,
  }));
}

function toInput(
  handle: string,
  opened: OpenedHandle,
  draft: Draft,
  server: ClaimableServer,
  chosen: readonly PickableTool[],
): ClaimInput {
  const { purpose } = draft;
  return {
    handle,
    claimKey: opened.claimKey,
    serverId: server.id,
    agentName: draft.agentName.trim(),
    deputyId: null,
    purpose: {
      task: purpose.task.trim(),
      systems: purpose.systems
        .split(',')
        .map((system) => system.trim())
        .filter(Boolean),
      dataClass: purpose.dataClass,
      attended: purpose.attended,
      endCondition: purpose.endCondition.trim(),
      ticket: purpose.ticket.trim() || null,
    },
    lifetimeSeconds: Number(draft.lifetimeSeconds),
    tools: toTools(draft, chosen),
  };
}

function firstDraft(opened: OpenedHandle, servers: readonly ClaimableServer[]): Draft {
  const server = servers.find((candidate) => candidate.id === opened.server?.id) ?? null;
  const asked = new Set(opened.requestedTools);
  return {
    serverId: opened.server?.id ?? (servers.length === 1 ? (servers[0]?.id ?? null) : null),
    agentName: opened.client.suggestedName,
    purpose: {
      task: '',
      systems: '',
      dataClass: 'internal',
      attended: true,
      endCondition: 'When I no longer use it',
      ticket: '',
    },
    lifetimeSeconds: '604800',
    chosen: Object.fromEntries(
      (server?.tools ?? [])
        .filter((tool) => asked.has(tool.name))
        .map((tool) => [tool.toolId, { justification: '' }]),
    ),
  };
}

/** What was typed survives a reload, an expired session and a refused link: it stays in this tab, keyed by the client. */
function useDraft(opened: OpenedHandle, servers: readonly ClaimableServer[]) {
  const key = `countersign claim ${opened.client.id} ${opened.server?.id ?? ''}`;
  const [draft, setDraft] = useState(() => firstDraft(opened, servers));
  useEffect(() => {
    try {
      const kept = sessionStorage.getItem(key);
      if (kept) setDraft((current) => ({ ...current, ...(JSON.parse(kept) as Partial<Draft>) }));
    } catch {
      // Storage may be off; the form works without it.
    }
  }, [key]);
  const keep = (next: Draft) => {
    setDraft(next);
    try {
      sessionStorage.setItem(key, JSON.stringify(next));
    } catch {
      // As above.
    }
  };
  return [draft, keep] as const;
}

/** Asks what policy says a moment after the form stopped changing; an answer to an older form is dropped. */
function usePreview(actions: ClaimActions, draft: Draft, chosen: readonly PickableTool[]) {
  const [preview, setPreview] = useState<Preview | null>(null);
  const [isStale, setStale] = useState(false);
  const latest = useRef(0);
  const question = useMemo(
    () => ({
      clientClass: 'interactive' as const,
      attended: draft.purpose.attended,
      dataClass: draft.purpose.dataClass,
      tools: chosen.map((tool) => ({
        toolId: tool.toolId,
        justification: '',
        constraints: [] as never[],
        toolSetVersionId: null,
      })),
    }),
    [draft.purpose.attended, draft.purpose.dataClass, chosen],
  );
  const signature = JSON.stringify(question);
  useEffect(() => {
    const turn = ++latest.current;
    setStale(true);
    const timer = setTimeout(async () => {
      const answer = await actions.preview(JSON.parse(signature)).catch(() => null);
      if (turn !== latest.current) return;
      if (answer?.ok) setPreview(answer.output);
      setStale(false);
    }, 350);
    return () => clearTimeout(timer);
  }, [signature, actions]);
  return { preview, isStale };
}
