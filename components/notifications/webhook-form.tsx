'use client';

import { type FormEvent, type ReactElement, type ReactNode, useId, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Checkbox } from '#components/ui/checkbox.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import { Field, Fieldset } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { RadioGroup } from '#components/ui/radio-group.tsx';
import { notify } from '#components/ui/toast.tsx';
import { type MessageKind, messageCatalogue, messageKinds } from '#lib/audit/messages.ts';

export type WebhookValues = { url: string; name: string; kinds: MessageKind[] };
export type CreateWebhookAction = Action<WebhookValues, { webhookId: string; secret: string }>;
export type EditWebhookAction = Action<WebhookValues & { webhookId: string }, void>;

const labels = { url: 'Address', name: 'Name', kinds: 'Messages' };

/** Adds a webhook, and shows its secret this once. */
export function NewWebhook({ create }: { create: CreateWebhookAction }) {
  const [open, setOpen] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const { run, pending, problem, clear } = useAction(create);
  return (
    <WebhookDialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) setSecret(null);
        clear();
      }}
      trigger={<Button variant="primary">Add webhook</Button>}
      title={secret ? 'Keep this secret' : 'Add webhook'}
      button="Add webhook"
      start={{ url: '', name: '', kinds: [] }}
      pending={pending}
      problem={problem}
      onSubmit={(values) => run(values, (created) => setSecret(created.secret))}
      instead={secret && <WebhookSecret secret={secret} />}
    />
  );
}

/** Changes one; its secret stays. */
export function EditWebhook({
  webhook,
  edit,
}: {
  webhook: { id: string; url: string; name: string; kinds: string[] };
  edit: EditWebhookAction;
}) {
  const [open, setOpen] = useState(false);
  const { run, pending, problem, clear } = useAction(edit);
  return (
    <WebhookDialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        clear();
      }}
      trigger={<Button>Edit</Button>}
      title="Edit webhook"
      button="Save"
      // What is no longer on the list can be kept by nobody.
      start={{
        url: webhook.url,
        name: webhook.name,
        kinds: messageKinds.filter((kind) => webhook.kinds.includes(kind)),
      }}
      pending={pending}
      problem={problem}
      onSubmit={(values) =>
        run({ ...values, webhookId: webhook.id }, () => {
          setOpen(false);
          notify({ tone: 'success', title: 'Webhook changed' });
        })
      }
    />
  );
}

/** A secret that is shown once, and how a receiver uses it. */
export function WebhookSecret({ secret, children }: { secret: string; children?: ReactNode }) {
  return (
    <div className="grid gap-3">
      <Callout tone="warning" title="Shown once">
        The receiver verifies each call with it, as the Standard Webhooks specification says. It cannot be
        shown again. {children}
      </Callout>
      <CodeBlock label="Webhook secret" code={secret} wrap />
      <CodeBlock
        label="Example receiver"
        caption="With the library of the specification, in Node"
        code={
          "import { Webhook } from 'standardwebhooks';\n\nconst message = new Webhook(process.env.WEBHOOK_SECRET)\n  .verify(rawBody, request.headers); // throws when it is not ours"
        }
      />
    </div>
  );
}

function WebhookDialog({
  open,
  onOpenChange,
  trigger,
  title,
  button,
  start,
  pending,
  problem,
  onSubmit,
  instead,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  trigger: ReactElement;
  title: string;
  button: string;
  start: WebhookValues;
  pending: boolean;
  problem: ReturnType<typeof useAction>['problem'];
  onSubmit: (values: WebhookValues) => void;
  instead?: ReactNode;
}) {
  const formId = useId();
  const [which, setWhich] = useState(start.kinds.length === 0 ? 'all' : 'some');
  const [kinds, setKinds] = useState<ReadonlySet<MessageKind>>(new Set(start.kinds));
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    onSubmit({
      url: String(form.get('url') ?? '').trim(),
      name: String(form.get('name') ?? '').trim(),
      kinds: which === 'all' ? [] : [...kinds],
    });
  };
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        if (next) {
          setWhich(start.kinds.length === 0 ? 'all' : 'some');
          setKinds(new Set(start.kinds));
        }
        onOpenChange(next);
      }}
      size="lg"
      trigger={trigger}
      title={title}
      footer={
        instead ? (
          <Button onClick={() => onOpenChange(false)}>I have stored it</Button>
        ) : (
          <>
            <DialogClose>
              <Button disabled={pending}>Cancel</Button>
            </DialogClose>
            <Button
              type="submit"
              form={formId}
              variant="primary"
              pending={pending}
              disabledReason={which === 'some' && kinds.size === 0 ? 'Choose at least one message.' : null}
            >
              {button}
            </Button>
          </>
        )
      }
    >
      {instead || (
        <form id={formId} className="grid gap-4" onSubmit={submit} noValidate>
          <ActionProblemNote problem={problem} labels={labels} />
          <Field
            name="url"
            label={labels.url}
            hint="An https address on the internet. Addresses of private networks are not reached."
            error={issueFor(problem, 'url')}
            required
          >
            <Input
              name="url"
              type="url"
              mono
              defaultValue={start.url}
              placeholder="https://chat.example.com/hooks/countersign"
              autoComplete="off"
            />
          </Field>
          <Field name="name" label={labels.name} optional error={issueFor(problem, 'name')}>
            <Input name="name" defaultValue={start.name} maxLength={80} autoComplete="off" />
          </Field>
          <Fieldset legend="Which messages it gets">
            <RadioGroup
              name="which"
              value={which}
              onValueChange={setWhich}
              options={[
                { value: 'all', label: 'All of them', hint: 'also those of later versions' },
                { value: 'some', label: 'Only these' },
              ]}
            />
          </Fieldset>
          {which === 'some' && (
            <section
              aria-label="Messages"
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1)
              tabIndex={0}
              className="max-h-72 overflow-y-auto rounded-md border border-line p-3"
            >
              <div className="grid gap-2">
                {messageKinds.map((kind) => (
                  <Checkbox
                    key={kind}
                    label={<code className="text-xs">{kind}</code>}
                    hint={messageCatalogue[kind]}
                    checked={kinds.has(kind)}
                    onCheckedChange={(on) => {
                      const next = new Set(kinds);
                      if (on) next.add(kind);
                      else next.delete(kind);
                      setKinds(next);
                    }}
                  />
                ))}
              </div>
            </section>
          )}
        </form>
      )}
    </Dialog>
  );
}
