'use client';

import { KeyRound, Pause, Play, RotateCcw, Send } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { type FormEvent, useId, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { useNowEvery } from '#components/console/clock.ts';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { CopyableId } from '#components/console/copyable-id.tsx';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Pagination } from '#components/console/pagination.tsx';
import { ExactTime, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { Select } from '#components/ui/select.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { Delivery, WebhookFacts } from '#lib/jobs/webhooks.ts';
import { EditWebhook, type EditWebhookAction, WebhookSecret } from './webhook-form.tsx';
import { webhookState } from './webhooks-view.tsx';

export type DeliveryFilter = 'all' | 'waiting' | 'delivered' | 'failed';

type ById = { webhookId: string };
export type WebhookActions = {
  edit: EditWebhookAction;
  pause: Action<ById, void>;
  resume: Action<ById, { sent: number }>;
  test: Action<ById, { messageId: string }>;
  rotate: Action<ById & { overlapSeconds?: number }, { secret: string; formerEndsAt: Date | null }>;
  end: Action<ById, void>;
  replay: Action<
    ById & { from: string; until: string; which?: 'failed' | 'all' },
    { sent: number; left: boolean }
  >;
};

const columns: DataColumn<Delivery>[] = [
  { id: 'title', header: 'Message', cell: (row) => <UntrustedText text={row.title} /> },
  {
    id: 'kind',
    header: 'Type',
    cell: (row) => <code className="text-xs">{row.kind}</code>,
    width: '11rem',
    hideBelow: 'lg',
  },
  { id: 'state', header: 'State', cell: (row) => <StatePill state={row.state} plain />, width: '8rem' },
  {
    id: 'attempts',
    header: 'Tries',
    cell: (row) => row.attempts,
    align: 'end',
    width: '4.5rem',
    hideBelow: 'md',
  },
  {
    id: 'problem',
    header: 'Problem',
    cell: (row) =>
      row.lastError ? (
        <span className="text-danger text-xs">
          <UntrustedText text={row.lastError} />
        </span>
      ) : (
        <span className="text-fg-3">–</span>
      ),
    width: '15rem',
    hideBelow: 'md',
  },
  { id: 'at', header: 'Written', cell: (row) => <RelativeTime at={row.createdAt} />, width: '8rem' },
];

/** One webhook: how it fares, and everything that was sent to it. */
export function WebhookView({
  webhook,
  deliveries,
  show,
  nextHref,
  firstHref,
  mayEdit,
  actions,
}: {
  webhook: WebhookFacts & { waiting: number };
  deliveries: Delivery[];
  show: DeliveryFilter;
  nextHref: string | null;
  firstHref: string | null;
  mayEdit: boolean;
  actions: WebhookActions;
}) {
  const nowMs = useNowEvery(5) * 1000;
  const state = webhookState(webhook);
  const name = webhook.name || new URL(webhook.url).host;
  const base = `/notifications/webhooks/${webhook.id}`;
  const tab = (value: DeliveryFilter, label: string) => ({
    value,
    label,
    href: value === 'all' ? base : `${base}?show=${value}`,
  });
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['webhooks']} id={webhook.id} />
      <PageHeader
        crumbs={[
          { label: 'Notifications', href: '/notifications' },
          { label: 'Webhooks', href: '/notifications/webhooks' },
        ]}
        title={name}
        state={<StatePill state={state} />}
        meta={<CopyableId id={webhook.url} label="address" keep={60} />}
        actions={
          mayEdit && state !== 'removed' && <Actions webhook={webhook} name={name} actions={actions} />
        }
      />
      {state === 'paused' && (
        <Callout
          tone={webhook.pauseCause === 'failing' ? 'danger' : 'warning'}
          title={
            webhook.pauseCause === 'failing'
              ? 'Paused by itself: nothing arrived here for three days'
              : 'Paused by an admin'
          }
        >
          Since <RelativeTime at={webhook.pausedAt} /> nothing is sent.{' '}
          {webhook.waiting === 0
            ? 'Nothing waits for it.'
            : `${webhook.waiting.toLocaleString('en')} ${webhook.waiting === 1 ? 'message waits' : 'messages wait'} and will be sent when it is resumed.`}
        </Callout>
      )}
      {state === 'failing' && (
        <Callout tone="warning" title="Nothing arrives here">
          Since <RelativeTime at={webhook.failingSince} />. After three days it is paused, and the admins are
          told.
        </Callout>
      )}
      <Card id="facts" title="Facts">
        <DescriptionList
          columns={2}
          items={[
            {
              term: 'Messages',
              value:
                webhook.kinds.length === 0 ? (
                  'all of them'
                ) : (
                  <span className="flex flex-wrap gap-x-3 gap-y-1">
                    {webhook.kinds.map((kind) => (
                      <code key={kind} className="text-xs">
                        {kind}
                      </code>
                    ))}
                  </span>
                ),
            },
            { term: 'Added', value: <RelativeTime at={webhook.createdAt} /> },
            {
              term: 'Secret',
              value:
                webhook.formerSecretEndsAt && webhook.formerSecretEndsAt.getTime() > nowMs ? (
                  <>
                    two sign until <ExactTime at={webhook.formerSecretEndsAt} />
                  </>
                ) : (
                  'one'
                ),
              hint: 'Stored sealed; it cannot be shown again.',
            },
            { term: 'Id', value: <CopyableId id={webhook.id} label="webhook id" keep={40} /> },
          ]}
        />
      </Card>
      <div className="flex flex-wrap items-end justify-between gap-2">
        <h2 className="font-semibold text-base">Deliveries</h2>
        {mayEdit && state !== 'removed' && <Replay webhookId={webhook.id} replay={actions.replay} />}
      </div>
      <LinkTabs
        label="Which deliveries"
        current={show}
        tabs={[
          tab('all', 'All'),
          tab('failed', 'Failed'),
          { ...tab('waiting', 'Waiting'), count: webhook.waiting },
          tab('delivered', 'Delivered'),
        ]}
      />
      <DataTable
        label="Deliveries"
        rows={deliveries}
        columns={columns}
        rowKey={(row) => row.id}
        rowHref={(row) => `/notifications/messages/${row.id}`}
        empty={
          show === 'all' ? (
            <EmptyState icon={Send} title="Nothing was sent here yet">
              A test shows whether the receiver hears and believes it.
            </EmptyState>
          ) : (
            <EmptyByFilter noun="deliveries" clearHref={base} />
          )
        }
      />
      <Pagination previousHref={firstHref} nextHref={nextHref} />
    </div>
  );
}

function Actions({
  webhook,
  name,
  actions,
}: {
  webhook: WebhookFacts;
  name: string;
  actions: WebhookActions;
}) {
  const router = useRouter();
  const test = useAction(actions.test);
  const pause = useAction(actions.pause);
  const resume = useAction(actions.resume);
  const input = { webhookId: webhook.id };
  const problem = test.problem ?? pause.problem ?? resume.problem;
  return (
    <>
      {problem && (
        <span role="alert" className="max-w-72 text-danger text-xs">
          {problem.detail}
        </span>
      )}
      <ConfirmAction
        trigger={<Button variant="danger-outline">Remove…</Button>}
        title={`Remove ${name}?`}
        description="Nothing is sent to it from this moment on. Its deliveries stay listed."
        button="Remove webhook"
        action={actions.end}
        input={() => input}
        onDone={() => router.push('/notifications/webhooks')}
      />
      <RotateSecret webhookId={webhook.id} rotate={actions.rotate} />
      <EditWebhook webhook={webhook} edit={actions.edit} />
      {webhook.pausedAt ? (
        <Button
          variant="primary"
          icon={<Play aria-hidden />}
          pending={resume.pending}
          onClick={() =>
            resume.run(input, ({ sent }) =>
              notify({
                tone: 'success',
                title: 'The webhook goes on',
                ...(sent > 0
                  ? { description: `${sent} waiting ${sent === 1 ? 'message is' : 'messages are'} sent.` }
                  : {}),
              }),
            )
          }
        >
          Resume
        </Button>
      ) : (
        <>
          <Button
            icon={<Pause aria-hidden />}
            pending={pause.pending}
            onClick={() => pause.run(input, () => notify({ tone: 'info', title: 'Paused: messages wait' }))}
          >
            Pause
          </Button>
          <Button
            variant="primary"
            icon={<Send aria-hidden />}
            pending={test.pending}
            onClick={() =>
              test.run(input, () =>
                notify({
                  tone: 'info',
                  title: 'A test is under way',
                  description: 'It appears below with its fate.',
                }),
              )
            }
          >
            Send a test
          </Button>
        </>
      )}
    </>
  );
}

const overlaps = [
  { value: '0', label: 'At once' },
  { value: '3600', label: 'In an hour' },
  { value: '86400', label: 'In a day' },
  { value: '604800', label: 'In a week' },
];

function RotateSecret({ webhookId, rotate }: { webhookId: string; rotate: WebhookActions['rotate'] }) {
  const [open, setOpen] = useState(false);
  const [overlap, setOverlap] = useState('86400');
  const [made, setMade] = useState<{ secret: string; formerEndsAt: Date | null } | null>(null);
  const { run, pending, problem, clear } = useAction(rotate);
  return (
    <Dialog
      open={open}
      size="lg"
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) setMade(null);
        clear();
      }}
      trigger={<Button icon={<KeyRound aria-hidden />}>New secret…</Button>}
      title={made ? 'Keep this secret' : 'Give it a new secret'}
      description={
        made ? undefined : 'Until the old one ends each call carries both signatures, so no call is lost.'
      }
      footer={
        made ? (
          <Button onClick={() => setOpen(false)}>I have stored it</Button>
        ) : (
          <>
            <DialogClose>
              <Button disabled={pending}>Cancel</Button>
            </DialogClose>
            <Button
              variant="primary"
              pending={pending}
              onClick={() => run({ webhookId, overlapSeconds: Number(overlap) }, setMade)}
            >
              Make secret
            </Button>
          </>
        )
      }
    >
      {made ? (
        <WebhookSecret secret={made.secret}>
          {made.formerEndsAt ? (
            <>
              The old one signs beside it until <ExactTime at={made.formerEndsAt} />.
            </>
          ) : (
            'The old one signs nothing any more.'
          )}
        </WebhookSecret>
      ) : (
        <div className="grid gap-4">
          <ActionProblemNote problem={problem} />
          <Field name="overlapSeconds" label="The old one ends" error={issueFor(problem, 'overlapSeconds')}>
            <Select value={overlap} onValueChange={setOverlap} options={overlaps} />
          </Field>
        </div>
      )}
    </Dialog>
  );
}

/** An instant as a datetime field wants it, in UTC. */
function toField(instantMs: number): string {
  return new Date(instantMs).toISOString().slice(0, 16);
}

function Replay({ webhookId, replay }: { webhookId: string; replay: WebhookActions['replay'] }) {
  const formId = useId();
  const [open, setOpen] = useState(false);
  const [span, setSpan] = useState({ from: '', until: '' });
  const [which, setWhich] = useState<'failed' | 'all'>('failed');
  const { run, pending, problem, clear } = useAction(replay);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    run(
      { webhookId, from: `${span.from}:00.000Z`, until: `${span.until}:59.999Z`, which },
      ({ sent, left }) => {
        setOpen(false);
        notify({
          tone: 'success',
          title: `${sent} ${sent === 1 ? 'message is' : 'messages are'} sent again`,
          ...(left ? { description: 'There are more: do it again for the rest.' } : {}),
        });
      },
    );
  };
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        if (next) setSpan({ from: toField(Date.now() - 86_400_000), until: toField(Date.now()) });
        clear();
        setOpen(next);
      }}
      trigger={
        <Button size="sm" icon={<RotateCcw aria-hidden />}>
          Send again…
        </Button>
      }
      title="Send messages again"
      description="Each goes out under its own id, so that the receiver can tell which it has had."
      footer={
        <>
          <DialogClose>
            <Button disabled={pending}>Cancel</Button>
          </DialogClose>
          <Button type="submit" form={formId} variant="primary" pending={pending}>
            Send again
          </Button>
        </>
      }
    >
      <form id={formId} onSubmit={submit} noValidate className="grid gap-4">
        <ActionProblemNote problem={problem} labels={{ from: 'Written from', until: 'Written until' }} />
        <Field name="which" label="Which">
          <Select
            value={which}
            onValueChange={setWhich}
            options={[
              { value: 'failed', label: 'Those that failed' },
              { value: 'all', label: 'All, also those that arrived' },
            ]}
          />
        </Field>
        <div className="grid gap-4 sm:grid-cols-2">
          <Field name="from" label="Written from" hint="UTC" error={issueFor(problem, 'from')}>
            <Input
              name="from"
              type="datetime-local"
              value={span.from}
              onChange={(event) => setSpan({ ...span, from: event.target.value })}
            />
          </Field>
          <Field name="until" label="Written until" hint="UTC" error={issueFor(problem, 'until')}>
            <Input
              name="until"
              type="datetime-local"
              value={span.until}
              onChange={(event) => setSpan({ ...span, until: event.target.value })}
            />
          </Field>
        </div>
      </form>
    </Dialog>
  );
}
