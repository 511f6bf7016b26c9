'use client';

import { useRouter } from 'next/navigation';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { z } from 'zod';
import { PurposeFields } from '#components/claim/purpose-fields.tsx';
import { needsJustification } from '#components/claim/tool-picker.tsx';
import { VerdictPreview } from '#components/claim/verdict-preview.tsx';
import type { Action } from '#components/console/action.ts';
import { DecisionBar } from '#components/console/decision-bar.tsx';
import { OutcomeMark, RiskMark } from '#components/console/marks.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { Combobox } from '#components/ui/combobox.tsx';
import { Field } from '#components/ui/field.tsx';
import { type FormError, FormErrorSummary } from '#components/ui/form-error-summary.tsx';
import { Input } from '#components/ui/input.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { RadioGroup } from '#components/ui/radio-group.tsx';
import type { StoredDraft } from '#lib/approvals/composer-draft.ts';
import type { CreatedRequest, createRequestInput } from '#lib/approvals/create-request.ts';
import type { DraftContent } from '#lib/approvals/draft-content.ts';
import type { EditedRequest, editRequestInput } from '#lib/approvals/edit-request.ts';
import type { previewRequestInput, RequestPreview } from '#lib/approvals/preview-request.ts';
import type { Composer, ComposerDraft } from '#lib/approvals/read-composer.ts';
import type { PasteReport } from '#lib/approvals/read-paste.ts';
import type { SubmittedRequest, submitRequestInput } from '#lib/approvals/submit-request.ts';
import type { filedClientSchema } from '#lib/registration/file-client.ts';
import { describeWay } from '#lib/registration/redirect-presets.ts';
import { emptyKey, KeyField, parseKeySet } from './key-field.tsx';
import { LifetimeField, toLifetimeDraft } from './lifetime-field.tsx';
import { type PasteActions, PasteBox } from './paste-box.tsx';
import { RedirectPresets } from './redirect-presets.tsx';
import { ToolsField } from './tools-field.tsx';
import { type DraftActions, type DraftStatus, useSavedDraft } from './use-saved-draft.ts';

type Content = ComposerDraft;
type ClientChoice = z.input<typeof filedClientSchema>;
type PreviewInput = z.input<typeof previewRequestInput>;

export type RequestFormActions = {
  create: Action<z.input<typeof createRequestInput>, CreatedRequest>;
  edit: Action<z.input<typeof editRequestInput>, EditedRequest>;
  submit: Action<z.input<typeof submitRequestInput>, SubmittedRequest>;
  preview: Action<PreviewInput, RequestPreview>;
  draft: DraftActions;
  paste: PasteActions;
};

export type RequestFormMode =
  | { kind: 'new'; existingClientId?: string | null; fromRequestId?: string | null }
  | { kind: 'change'; agentId: string; clientClass: string; fromRequestId?: string | null }
  | {
      kind: 'edit';
      requestId: string;
      label: string;
      state: string;
      snapshotDigest: string;
      revisedAt: string;
      clientClass: string;
      changesRequested: { by: string; reason: string } | null;
    };

type ClientKind = Exclude<ClientChoice['kind'], 'existing'>;
type Draft = DraftContent;

/** One page: which client, what it is for, which tools, for how long; beside it what policy and approvers would do. */
export function RequestForm({
  mode,
  composer,
  start,
  kept,
  actions,
}: {
  mode: RequestFormMode;
  composer: Composer;
  start: ComposerDraft | null;
  /** What this person typed into the same form before and did not file. */
  kept: StoredDraft | null;
  actions: RequestFormActions;
}) {
  const router = useRouter();
  const [draft, setDraft] = useState(() => kept?.content ?? firstDraft(mode, start));
  const [isRestored, setRestored] = useState(kept !== null);
  const isOvertakenByRevision = mode.kind === 'edit' && kept !== null && kept.savedAt < mode.revisedAt;
  const [openServers, setOpenServers] = useState<readonly string[]>([]);
  const saved = useSavedDraft(subjectOf(mode), kept, draft, actions.draft);
  const [errors, setErrors] = useState<readonly FormError[]>([]);
  const create = useAction(actions.create);
  const edit = useAction(actions.edit);
  const submit = useAction(actions.submit);
  const problem = create.problem ?? edit.problem ?? submit.problem;
  const set = (changes: Partial<Draft>) => setDraft((current) => ({ ...current, ...changes }));
  const clientClass = classOf(mode, draft);
  const allTools = useMemo(() => composer.servers.flatMap((server) => server.tools), [composer]);
  const chosen = allTools.filter((tool) => draft.tools.chosen[tool.toolId]);
  const constraintsOf = new Map(start?.tools.map((tool) => [tool.toolId, tool.constraints]) ?? []);
  const { preview, isStale } = usePreview(actions.preview, {
    clientClass,
    attended: draft.purpose.attended,
    dataClass: draft.purpose.dataClass,
    tools: chosen.map(({ toolId }) => ({ toolId })),
  });

  const answered: readonly FormError[] = (problem?.issues ?? []).map(({ path, message }) => ({
    name: fieldOf(path, chosen),
    message,
  }));
  const shown = errors.length > 0 ? errors : answered;
  // What was mended since is no longer marked at its field; the summary stays until the next try.
  const stillWrong = new Set(errors.length > 0 ? check(mode, draft, chosen).map((error) => error.name) : []);
  const marked = errors.length > 0 ? errors.filter((error) => stillWrong.has(error.name)) : answered;
  const byField = Object.fromEntries(
    marked.flatMap((error) => (error.name ? [[error.name, error.message] as const] : [])),
  );
  const toolErrors = {
    ...(byField.tools ? { tools: byField.tools } : {}),
    ...Object.fromEntries(
      Object.entries(byField).flatMap(([name, message]) =>
        name.startsWith('justification-') ? [[name.slice('justification-'.length), message]] : [],
      ),
    ),
  };

  const content = (): Content => ({
    agentName: draft.agentName.trim(),
    deputyId: draft.deputyId,
    purpose: {
      task: draft.purpose.task.trim(),
      systems: draft.purpose.systems
        .split(',')
        .map((system) => system.trim())
        .filter(Boolean),
      dataClass: draft.purpose.dataClass,
      attended: draft.purpose.attended,
      endCondition: draft.purpose.endCondition.trim(),
      ticket: draft.purpose.ticket.trim() || null,
    },
    lifetimeSeconds: draft.lifetime.seconds ?? 0,
    tools: chosen.map((tool) => ({
      toolId: tool.toolId,
      justification: draft.tools.chosen[tool.toolId]?.justification.trim() ?? '',
      constraints: constraintsOf.get(tool.toolId) ?? [],
      toolSetVersionId: draft.tools.sets[tool.toolId] ?? null,
    })),
  });

  function send(submitNow: boolean) {
    const found = check(mode, draft, chosen);
    setErrors(found);
    if (found.length > 0) return;
    const open = async ({ id }: { id: string }) => {
      await saved.discard(null);
      router.push(`/requests/${id}`);
    };
    if (mode.kind === 'edit') {
      const { requestId, snapshotDigest } = mode;
      edit.run({ requestId, snapshotDigest, ...content() }, (output) => {
        if (submitNow && mode.state !== 'submitted') submit.run({ requestId }, open);
        else open(output);
      });
    } else if (mode.kind === 'change') {
      create.run({ kind: 'change', agentId: mode.agentId, submit: submitNow, ...content() }, open);
    } else {
      const client = toClient(mode, draft);
      if (client) create.run({ kind: 'new', client, submit: submitNow, ...content() }, open);
    }
  }

  function fillIn(fill: PasteReport['fill']) {
    setDraft((current) => ({
      ...current,
      // A name somebody gave already is theirs.
      ...(fill.agentName && current.agentName.trim() === '' ? { agentName: fill.agentName } : {}),
      ...(fill.clientKind ? { clientKind: fill.clientKind } : {}),
      ...(fill.url ? { url: fill.url } : {}),
      ...(fill.jwks ? { key: { way: 'paste' as const, text: fill.jwks, madeThumb: '' } } : {}),
      ...(fill.attended === undefined ? {} : { purpose: { ...current.purpose, attended: fill.attended } }),
    }));
    setOpenServers(fill.serverIds);
  }

  async function startOver() {
    const first = firstDraft(mode, start);
    await saved.discard(first);
    setDraft(first);
    setRestored(false);
  }

  const pending = create.pending || edit.pending || submit.pending;
  const words = wordsFor(mode);
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        send(true);
      }}
      className="grid gap-5"
    >
      <PageHeader title={words.title} crumbs={words.crumbs} description={words.description} />
      <div className="grid gap-5 xl:grid-cols-[minmax(0,1fr)_20rem] xl:items-start">
        <div className="grid min-w-0 gap-5">
          {mode.kind === 'edit' && mode.changesRequested && (
            <Callout tone="warning" title={`${mode.changesRequested.by} asks for changes`}>
              <span className="whitespace-pre-wrap break-words">{mode.changesRequested.reason}</span>
            </Callout>
          )}
          {saved.status.kind === 'overtaken' ? (
            <Callout
              tone="warning"
              announce
              title="Another tab or browser of yours went on with this form"
              actions={
                <>
                  <Button size="sm" onClick={() => window.location.reload()}>
                    Show the other one
                  </Button>
                  <Button size="sm" onClick={() => void saved.keepThis()}>
                    Keep this one
                  </Button>
                </>
              }
            >
              Nothing was overwritten. Until you choose, what you type here is not saved.
            </Callout>
          ) : (
            isRestored && (
              <Callout
                tone={isOvertakenByRevision ? 'warning' : 'info'}
                title="This goes on from where you stopped"
                actions={
                  <Button size="sm" onClick={() => void startOver()}>
                    Start over
                  </Button>
                }
              >
                {isOvertakenByRevision
                  ? 'The request got another revision after you typed this. Start over to see that one.'
                  : 'You typed this and did not file it yet. Nobody else has seen it.'}
              </Callout>
            )
          )}
          {(shown.length > 0 || problem) && (
            <FormErrorSummary
              title={problem && shown.length === 0 ? 'This was not saved' : undefined}
              errors={shown.length > 0 ? shown : [{ message: problem?.detail ?? '' }]}
              requestId={problem?.code === 'internal' ? problem.requestId : null}
            />
          )}
          {mode.kind === 'new' && !mode.existingClientId && (
            <PasteBox issuer={composer.issuer} actions={actions.paste} onFill={fillIn} />
          )}
          <Card title="Agent">
            <div className="grid gap-4">
              <div className="grid gap-4 sm:grid-cols-2">
                <Field
                  name="agentName"
                  label="Name"
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
                <Field
                  name="deputyId"
                  label="Deputy"
                  optional
                  error={byField.deputyId}
                  hint="Answers for it when you cannot"
                >
                  <Combobox
                    placeholder="Nobody; type a name"
                    options={composer.deputies.map((each) => ({
                      value: each.personId,
                      label: each.displayName,
                      ...(each.cannot ? { hint: each.cannot, disabled: true } : {}),
                    }))}
                    value={draft.deputyId}
                    onValueChange={(deputyId) => set({ deputyId })}
                  />
                </Field>
              </div>
              {mode.kind === 'new' && !mode.existingClientId && (
                <ClientFields draft={draft} set={set} errors={byField} />
              )}
              {mode.kind === 'new' && mode.existingClientId && (
                <p className="text-fg-2 text-sm">
                  Asks again for the client <code className="break-all text-xs">{mode.existingClientId}</code>
                  , with the key it has.
                </p>
              )}
            </div>
          </Card>
          <Card title="What it is for">
            <PurposeFields
              purpose={draft.purpose}
              onChange={(purpose) => set({ purpose })}
              errors={byField}
            />
          </Card>
          <Card
            title="Tools"
            description="Only what the work needs. Approvers see every tool with what it can do."
          >
            <ToolsField
              servers={composer.servers}
              toolSets={composer.toolSets}
              openServers={openServers}
              value={draft.tools}
              onChange={(value) => set({ tools: value })}
              errors={toolErrors}
            />
          </Card>
          <Card title="For how long">
            <LifetimeField
              value={draft.lifetime}
              onChange={(lifetime) => set({ lifetime })}
              error={byField.lifetimeSeconds}
            />
          </Card>
        </div>
        <aside
          id="before-you-submit"
          aria-label="Before you submit"
          className="grid gap-5 xl:sticky xl:top-[calc(var(--header-height)+1.25rem)]"
        >
          <Card title="What happens next">
            <div className="grid gap-4">
              <VerdictPreview preview={preview} isStale={isStale} />
              <div className="grid gap-2 border-line border-t pt-4">
                <Button type="submit" variant="primary" pending={pending}>
                  {words.send}
                </Button>
                {words.save && (
                  <Button disabled={pending} onClick={() => send(false)}>
                    {words.save}
                  </Button>
                )}
                <p className="text-fg-3 text-xs">
                  {chosen.length === 0
                    ? 'No tools'
                    : chosen.length === 1
                      ? 'One tool'
                      : `${chosen.length} tools`}{' '}
                  chosen. {words.note}
                </p>
                <SavedNote status={saved.status} />
              </div>
            </div>
          </Card>
        </aside>
      </div>
      <DecisionBar
        label="Verdict so far"
        className="xl:hidden"
        status={
          preview && preview.verdict.tools.length > 0 ? (
            <span className="flex flex-wrap items-center gap-1.5">
              <OutcomeMark outcome={preview.verdict.outcome} />
              <RiskMark risk={preview.risk} />
            </span>
          ) : (
            'Choose tools to see what policy says.'
          )
        }
      >
        <TextLink href="#before-you-submit">What happens next</TextLink>
      </DecisionBar>
    </form>
  );
}

function SavedNote({ status }: { status: DraftStatus }) {
  return (
    // Only what went wrong is read aloud: a saving form would talk without end.
    <p
      role={status.kind === 'failed' ? 'status' : undefined}
      className={
        status.kind === 'failed' || status.kind === 'overtaken' ? 'text-warning text-xs' : 'text-fg-3 text-xs'
      }
    >
      {status.kind === 'saving' && 'Saving what you typed…'}
      {status.kind === 'saved' && (
        <>
          What you typed was saved <RelativeTime at={status.at} />, for you alone.
        </>
      )}
      {status.kind === 'overtaken' &&
        'Not saved: another tab went on with this form. Choose at the top of the page.'}
      {status.kind === 'failed' && `What you typed is not saved. ${status.why}`}
    </p>
  );
}

/** Under which name a draft of this form is kept. */
function subjectOf(mode: RequestFormMode): string {
  if (mode.kind === 'edit') return `edit:${mode.requestId}`;
  if (mode.fromRequestId) return `again:${mode.fromRequestId}`;
  return mode.kind === 'change' ? `change:${mode.agentId}` : 'new';
}

function ClientFields({
  draft,
  set,
  errors,
}: {
  draft: Draft;
  set: (changes: Partial<Draft>) => void;
  errors: Readonly<Record<string, string>>;
}) {
  const way = describeWay(draft.clientKind);
  return (
    <div className="grid gap-4">
      <div className="grid gap-1.5">
        <span className="font-medium text-sm" id="client-kind-label">
          How it connects
        </span>
        <RadioGroup<ClientKind>
          layout="cards"
          className="lg:grid-cols-3"
          aria-labelledby="client-kind-label"
          options={[
            {
              value: 'key',
              label: 'With a key of its own',
              hint: 'A service or job. Gets short tokens by itself, signed with its key.',
            },
            {
              value: 'metadata document',
              label: 'As a published client',
              hint: 'An interactive client described at a URL. You sign in with it after the approval.',
            },
            {
              value: 'carried',
              label: 'With tokens I carry to it',
              hint: 'It can do neither. You reveal a token of a few minutes, once per use.',
            },
          ]}
          value={draft.clientKind}
          onValueChange={(clientKind) => set({ clientKind })}
        />
      </div>
      {draft.clientKind === 'key' && (
        <KeyField
          value={draft.key}
          onChange={(key) => set({ key })}
          fileName={draft.agentName
            .trim()
            .toLowerCase()
            .replaceAll(/[^a-z0-9]+/g, '-')
            .replaceAll(/^-|-$/g, '')}
          error={errors['client.jwks']}
        />
      )}
      {draft.clientKind === 'metadata document' && (
        <Field
          name="client.url"
          label="URL of its metadata document"
          required
          error={errors['client.url']}
          hint="The client’s id is this URL. It is fetched once, now, and what it says is what gets reviewed."
        >
          <Input
            mono
            type="url"
            value={draft.url}
            placeholder="https://client.example/oauth/metadata.json"
            onChange={(event) => set({ url: event.target.value })}
          />
        </Field>
      )}
      <p className="max-w-[80ch] text-sm">
        <span className="font-medium">Its way in: {way.title}.</span>{' '}
        <span className="text-fg-2">{way.why}</span>
      </p>
      <Callout title="Claude Code, Cursor, VS Code and other MCP clients">
        They register by themselves: connect one to a guarded server, and this form opens in your browser with
        its client filled in.
      </Callout>
      <RedirectPresets />
    </div>
  );
}

function wordsFor(mode: RequestFormMode) {
  if (mode.kind === 'change') {
    return {
      title: 'Ask for a change',
      crumbs: [
        { label: 'Agents', href: '/agents' },
        { label: 'Agent', href: `/agents/${mode.agentId}` },
      ],
      description:
        'Say what the agent should have afterwards. Until somebody approves, it keeps what it has.',
      send: 'Submit for approval',
      save: 'Save as draft',
      note: 'Approvers see what widens and what narrows.',
    };
  }
  if (mode.kind === 'new') {
    return {
      title: 'New request',
      crumbs: [{ label: 'Requests', href: '/requests' }],
      description:
        'Say what the agent is for and what it needs. It gets nothing until an approver has agreed.',
      send: 'Submit for approval',
      save: 'Save as draft',
      note: 'The agent has no tool before the approval, and never more than you ask for here.',
    };
  }
  const waiting = mode.state === 'submitted';
  return {
    title: `Edit ${mode.label}`,
    crumbs: [
      { label: 'Requests', href: '/requests' },
      { label: mode.label, href: `/requests/${mode.requestId}` },
    ],
    description: waiting
      ? 'It keeps waiting, with the new words. Votes on the old ones no longer count.'
      : 'Each save is a new revision; the earlier ones stay in its history.',
    send: waiting ? 'Save new revision' : 'Save and submit',
    save: waiting ? null : 'Save',
    note: '',
  };
}

function firstDraft(mode: RequestFormMode, start: ComposerDraft | null): Draft {
  return {
    agentName: start?.agentName ?? '',
    deputyId: start?.deputyId ?? null,
    clientKind: 'key',
    key: emptyKey,
    url: '',
    purpose: {
      task: start?.purpose.task ?? '',
      systems: start?.purpose.systems.join(', ') ?? '',
      dataClass: start?.purpose.dataClass ?? 'internal',
      attended: start?.purpose.attended ?? mode.kind !== 'new',
      endCondition: start?.purpose.endCondition ?? '',
      ticket: start?.purpose.ticket ?? '',
    },
    lifetime: toLifetimeDraft(start?.lifetimeSeconds ?? 7 * 86_400),
    tools: {
      chosen: Object.fromEntries(
        start?.tools.map((tool) => [tool.toolId, { justification: tool.justification }]) ?? [],
      ),
      sets: Object.fromEntries(
        start?.tools.flatMap((tool) =>
          tool.toolSetVersionId ? [[tool.toolId, tool.toolSetVersionId]] : [],
        ) ?? [],
      ),
    },
  };
}

function classOf(mode: RequestFormMode, draft: Draft): 'interactive' | 'headless service' {
  if (mode.kind !== 'new') return mode.clientClass === 'interactive' ? 'interactive' : 'headless service';
  return draft.clientKind === 'metadata document' ? 'interactive' : 'headless service';
}

function toClient(mode: RequestFormMode, draft: Draft): ClientChoice | null {
  if (mode.kind === 'new' && mode.existingClientId)
    return { kind: 'existing', clientId: mode.existingClientId };
  if (draft.clientKind === 'carried') return { kind: 'carried' };
  if (draft.clientKind === 'metadata document') return { kind: 'metadata document', url: draft.url.trim() };
  const jwks = parseKeySet(draft.key.text);
  return jwks && { kind: 'key', jwks };
}

function check(
  mode: RequestFormMode,
  draft: Draft,
  chosen: readonly { toolId: string; name: string; class: string; risk: string }[],
): FormError[] {
  const errors: FormError[] = [];
  if (draft.agentName.trim().length < 2)
    errors.push({ name: 'agentName', message: 'Give the agent a name.' });
  if (mode.kind === 'new' && !mode.existingClientId) {
    if (draft.clientKind === 'key' && draft.key.text.trim() === '') {
      errors.push({
        name: 'client.jwks',
        message: draft.key.way === 'make' ? 'Make its key first.' : 'Paste its public key set.',
      });
    } else if (draft.clientKind === 'key' && !parseKeySet(draft.key.text)) {
      errors.push({ name: 'client.jwks', message: 'This is not a JSON key set.' });
    }
    if (draft.clientKind === 'metadata document' && !/^https?:\/\//i.test(draft.url.trim())) {
      errors.push({ name: 'client.url', message: 'Give the URL of its metadata document.' });
    }
  }
  if (draft.purpose.task.trim().length < 10) {
    errors.push({ name: 'purpose.task', message: 'Say in a sentence what it will do.' });
  }
  if (draft.purpose.endCondition.trim().length < 3) {
    errors.push({ name: 'purpose.endCondition', message: 'Say when the work is done.' });
  }
  if (chosen.length === 0) errors.push({ name: 'tools', message: 'Choose at least one tool.' });
  for (const tool of chosen) {
    const reason = draft.tools.chosen[tool.toolId]?.justification.trim() ?? '';
    if (needsJustification(tool) && reason.length < 3) {
      errors.push({ name: `justification-${tool.toolId}`, message: `Say why ${tool.name} is needed.` });
    }
  }
  if (draft.lifetime.seconds === null || draft.lifetime.seconds < 60) {
    errors.push({ name: 'lifetimeSeconds', message: 'Choose at least a minute.' });
  }
  return errors;
}

/** The field an issue is about: `tools.2` is a line, which the form shows at the tool. */
function fieldOf(path: string, chosen: readonly { toolId: string }[]): string | undefined {
  const line = /^tools\.(\d+)/.exec(path)?.[1];
  if (line === undefined) return path || undefined;
  const tool = chosen[Number(line)];
  return tool ? `justification-${tool.toolId}` : 'tools';
}

/** Asks a moment after the form stopped changing; an answer to an older form is dropped. */
function usePreview(call: RequestFormActions['preview'], question: PreviewInput) {
  const [preview, setPreview] = useState<RequestPreview | null>(null);
  const [isStale, setStale] = useState(false);
  const latest = useRef(0);
  // The page hands down a new reference whenever it is rendered; only another question asks again.
  const ask = useRef(call);
  ask.current = call;
  const signature = JSON.stringify(question);
  useEffect(() => {
    const turn = ++latest.current;
    setStale(true);
    const timer = setTimeout(async () => {
      const answer = await ask.current(null, JSON.parse(signature) as PreviewInput).catch(() => null);
      if (turn !== latest.current) return;
      if (answer?.ok) setPreview(answer.output);
      setStale(false);
    }, 350);
    return () => clearTimeout(timer);
  }, [signature]);
  return { preview, isStale };
}
