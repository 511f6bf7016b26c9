'use client';

import { browserSupportsWebAuthn, startRegistration } from '@simplewebauthn/browser';
import { Fingerprint, Terminal } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import type { Action, ActionProblem } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { describePasskeyFailure } from '#components/console/passkey-failure.ts';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { Dialog } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { Textarea } from '#components/ui/textarea.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { KeyRow } from '#lib/access/read-people.ts';
import type { PublicKeyCredentialCreationOptionsJSON, RegistrationResponse } from '#lib/access/webauthn.ts';

export type KeyActions = {
  beginPasskey: Action<Record<string, never>, PublicKeyCredentialCreationOptionsJSON>;
  addCommandLineKey: Action<{ name: string; publicKey: string }, { keyId: string }>;
  addPasskey: Action<{ name: string; response: RegistrationResponse }, { keyId: string }>;
  renameKey: Action<{ keyId: string; name: string }, void>;
  removeKey: Action<{ keyId: string }, void>;
};

/** Passkeys of one's own: how one proves that it is oneself, and what one's approvals are signed with. */
export function KeysView({
  keys,
  approves,
  actions,
}: {
  keys: readonly KeyRow[];
  /** Whether this person approves, and so cannot work without one. */
  approves: boolean;
  actions: KeyActions;
}) {
  const hasPasskey = countLive(keys) > 0;
  const hasOthersOnly = !hasPasskey && keys.some((key) => key.isElsewhere && key.state === 'live');
  return (
    <Card
      title="Passkeys"
      description={
        approves
          ? 'Your approvals are signed with one, so that nobody can approve in your name. With two, losing one is no trouble.'
          : 'Proves that it is you before anything that cannot be undone. With two, losing one is no trouble.'
      }
      flush
      actions={
        <>
          {approves && <NewCommandLineKey addCommandLineKey={actions.addCommandLineKey} />}
          <NewPasskey actions={actions} />
        </>
      }
    >
      <LiveRefresh topics={['people']} />
      {keys.length === 0 ? (
        <EmptyState boxed={false} icon={Fingerprint} title="No passkey yet">
          {approves
            ? 'Add one before you approve anything that can write, delete or reach outside.'
            : 'You confirm with your password or by single sign-on until you add one.'}
        </EmptyState>
      ) : (
        <>
          {hasOthersOnly && (
            <p className="border-line border-b px-4 py-2.5 text-fg-2 text-sm">
              Your passkeys are of another address this console had. Add one for this address; what the others
              signed stays approved.
            </p>
          )}
          <KeyList keys={keys} actions={actions} isLastPasskey={countLive(keys) === 1} />
        </>
      )}
    </Card>
  );
}

function countLive(keys: readonly KeyRow[]): number {
  return keys.filter((key) => key.kind === 'passkey' && key.state === 'live' && !key.isElsewhere).length;
}

/** Keys of somebody, living ones first. Without `actions` they can only be looked at. */
export function KeyList({
  keys,
  actions,
  isLastPasskey = false,
}: {
  keys: readonly KeyRow[];
  actions: Pick<KeyActions, 'renameKey' | 'removeKey'> | null;
  isLastPasskey?: boolean;
}) {
  return (
    <ul className="divide-y divide-line">
      {keys.map((key) => (
        <li key={key.keyId} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5 text-sm">
          <div className="flex min-w-52 flex-1 items-start gap-3">
            {key.kind === 'passkey' ? (
              <Fingerprint aria-hidden className="mt-0.5 size-4 shrink-0 text-fg-3" />
            ) : (
              <Terminal aria-hidden className="mt-0.5 size-4 shrink-0 text-fg-3" />
            )}
            <div className="grid min-w-0 gap-0.5">
              <span className={key.state === 'live' ? 'break-words font-medium' : 'break-words text-fg-2'}>
                <UntrustedText text={key.name} />
              </span>
              <span className="text-fg-3 text-xs">
                {describeKind(key)} · added <RelativeTime at={key.createdAt} /> ·{' '}
                {key.endedAt ? (
                  <>
                    {key.endCause ?? 'removed'} <RelativeTime at={key.endedAt} />
                  </>
                ) : key.lastUsedAt ? (
                  <>
                    last used <RelativeTime at={key.lastUsedAt} />
                  </>
                ) : (
                  'never used'
                )}
              </span>
            </div>
          </div>
          {key.state === 'ended' ? (
            <StatePill state="ended" plain />
          ) : (
            actions && (
              <div className="flex gap-2">
                <RenameKey entry={key} renameKey={actions.renameKey} />
                <ConfirmAction
                  size="sm"
                  trigger={
                    <Button size="sm" aria-label={`Remove ${key.name}`}>
                      Remove
                    </Button>
                  }
                  title={`Remove “${key.name}”?`}
                  description={
                    isLastPasskey && key.kind === 'passkey' && !key.isElsewhere
                      ? 'It is your only passkey: without one you confirm with your password or by single sign-on, and cannot sign approvals here. What it signed stays approved.'
                      : 'What it signed stays approved. The device itself may go on offering it; delete it there, too.'
                  }
                  button="Remove"
                  action={actions.removeKey}
                  input={() => ({ keyId: key.keyId })}
                  onDone={() => notify({ title: `“${key.name}” removed` })}
                />
              </div>
            )
          )}
        </li>
      ))}
    </ul>
  );
}

function describeKind(key: KeyRow): string {
  if (key.kind !== 'passkey') return 'command line';
  if (key.isElsewhere) return 'passkey of another address';
  return key.backedUp ? 'shared between your devices' : 'on one device only';
}

function NewPasskey({ actions }: { actions: KeyActions }) {
  const [open, setOpen] = useState(false);
  const [failure, setFailure] = useState<ActionProblem | null>(null);
  const [asking, setAsking] = useState(false);
  const begin = useAction(actions.beginPasskey);
  const add = useAction(actions.addPasskey);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name') ?? '').trim();
    setFailure(null);
    if (name === '') {
      const message = 'Give it a name you will know it by.';
      setFailure({ ...describePasskeyFailure(null), detail: message, issues: [{ path: 'name', message }] });
      return;
    }
    begin.run({}, async (optionsJSON) => {
      setAsking(true);
      try {
        const made = (await startRegistration({ optionsJSON })) as RegistrationResponse;
        const { id, rawId, type, response } = made;
        add.run({ name, response: { id, rawId, type, response } }, () => {
          setOpen(false);
          notify({ tone: 'success', title: `Passkey “${name}” added` });
        });
      } catch (error) {
        setFailure(describePasskeyFailure(error));
      } finally {
        setAsking(false);
      }
    });
  }

  const problem = failure ?? begin.problem ?? add.problem;
  const pending = begin.pending || add.pending || asking;
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        if (!next && pending) return;
        setOpen(next);
        setFailure(null);
        begin.clear();
        add.clear();
      }}
      size="sm"
      trigger={
        <Button size="sm" variant="primary">
          Add passkey
        </Button>
      }
      title="Add a passkey"
      description="Your device keeps it and asks for your fingerprint, face or PIN whenever it is used."
      footer={
        <>
          <Button disabled={pending} onClick={() => setOpen(false)}>
            Cancel
          </Button>
          <Button
            variant="primary"
            type="submit"
            form="new-passkey"
            pending={pending}
            disabledReason={browserSupportsWebAuthn() ? undefined : 'This browser knows no passkeys.'}
          >
            Add passkey
          </Button>
        </>
      }
    >
      <form id="new-passkey" onSubmit={submit} className="grid gap-4" noValidate>
        <ActionProblemNote problem={problem} />
        <Field
          name="name"
          label="Name"
          required
          hint="How you will tell it from others, such as the device it is on."
          error={issueFor(problem, 'name')}
        >
          <Input name="name" required maxLength={100} autoComplete="off" placeholder="Work laptop" />
        </Field>
      </form>
    </Dialog>
  );
}

function NewCommandLineKey({ addCommandLineKey }: Pick<KeyActions, 'addCommandLineKey'>) {
  const [open, setOpen] = useState(false);
  const { run, pending, problem, clear } = useAction(addCommandLineKey);
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const name = String(given.get('name') ?? '');
    run({ name, publicKey: String(given.get('publicKey') ?? '') }, () => {
      setOpen(false);
      notify({ tone: 'success', title: `Key “${name}” added` });
    });
  }
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) clear();
      }}
      trigger={<Button size="sm">Add signing key</Button>}
      title="Add a key of your command line"
      description="Whoever holds its private half and one of your API tokens can approve in your name. Keep it as you would keep a passkey."
      footer={
        <>
          <Button onClick={() => setOpen(false)}>Cancel</Button>
          <Button variant="primary" type="submit" form="new-signing-key" pending={pending}>
            Add key
          </Button>
        </>
      }
    >
      <form id="new-signing-key" onSubmit={submit} className="grid gap-4" noValidate>
        <ActionProblemNote problem={problem} labels={{ name: 'Name', publicKey: 'Public key' }} />
        <CodeBlock code="npx countersign keys new approver.jwk" label="Command" caption="Make one" wrap />
        <Field name="name" label="Name" required error={issueFor(problem, 'name')}>
          <Input name="name" required maxLength={100} autoComplete="off" placeholder="Deploy terminal" />
        </Field>
        <Field
          name="publicKey"
          label="Public key"
          required
          hint="What the command printed: Ed25519 or P-256, as a JSON Web Key."
          error={issueFor(problem, 'publicKey')}
        >
          <Textarea name="publicKey" rows={3} mono required maxLength={4096} spellCheck={false} />
        </Field>
      </form>
    </Dialog>
  );
}

function RenameKey({ entry, renameKey }: { entry: KeyRow; renameKey: KeyActions['renameKey'] }) {
  const [open, setOpen] = useState(false);
  const { run, pending, problem, clear } = useAction(renameKey);
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name') ?? '');
    run({ keyId: entry.keyId, name }, () => setOpen(false));
  }
  const form = `rename-${entry.keyId}`;
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) clear();
      }}
      size="sm"
      trigger={
        <Button size="sm" aria-label={`Rename ${entry.name}`}>
          Rename
        </Button>
      }
      title="Rename"
      footer={
        <>
          <Button onClick={() => setOpen(false)}>Cancel</Button>
          <Button variant="primary" type="submit" form={form} pending={pending}>
            Rename
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="grid gap-4" noValidate>
        <ActionProblemNote problem={problem} />
        <Field name="name" label="Name" required error={issueFor(problem, 'name')}>
          <Input name="name" defaultValue={entry.name} required maxLength={100} autoComplete="off" />
        </Field>
      </form>
    </Dialog>
  );
}
