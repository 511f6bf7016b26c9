'use client';

import { type FormEvent, type ReactNode, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { ExactTime, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { Dialog } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { Select } from '#components/ui/select.tsx';
import type { ResourceTokenFacts } from '#lib/credentials/resource-tokens.ts';

type Created = { id: string; token: string; expiresAt: Date };
export type ResourceTokenActions = {
  create: Action<{ serverId: string; name: string; lifetimeDays?: number }, Created>;
  end: Action<{ id: string }, void>;
  rotate: Action<{ id: string; overlapSeconds?: number }, Created & { formerEndsAt: Date }>;
};

/** The tokens with which a server that has no guard asks about the tokens presented to it. */
export function ResourceTokens({
  server,
  tokens,
  nowMs,
  introspectUrl,
  mayAdmin,
  actions,
}: {
  server: { id: string; name: string; state: string };
  tokens: readonly ResourceTokenFacts[];
  nowMs: number;
  introspectUrl: string;
  mayAdmin: boolean;
  actions: ResourceTokenActions;
}) {
  return (
    <Card
      flush
      id="resource-tokens"
      title="Resource tokens"
      description="For a server without a guard, to ask about tokens"
      actions={
        mayAdmin &&
        server.state === 'active' && (
          <NewToken serverId={server.id} introspectUrl={introspectUrl} create={actions.create} />
        )
      }
    >
      {tokens.length === 0 ? (
        <p className="p-4 text-fg-2 text-sm">None was made.</p>
      ) : (
        <ul className="divide-y divide-line">
          {tokens.map((token) => (
            <TokenLine
              key={token.id}
              token={token}
              nowMs={nowMs}
              server={server.name}
              introspectUrl={introspectUrl}
              actions={mayAdmin ? actions : null}
            />
          ))}
        </ul>
      )}
    </Card>
  );
}

function TokenLine({
  token,
  nowMs,
  server,
  introspectUrl,
  actions,
}: {
  token: ResourceTokenFacts;
  nowMs: number;
  server: string;
  introspectUrl: string;
  actions: ResourceTokenActions | null;
}) {
  const state = token.endedAt ? 'ended' : token.expiresAt.getTime() <= nowMs ? 'expired' : 'live';
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5 text-sm">
      <div className="grid min-w-40 flex-1 gap-0.5">
        <span className={state === 'live' ? 'font-medium' : 'text-fg-2'}>
          <UntrustedText text={token.name} />
        </span>
        <span className="text-fg-3 text-xs">
          made <RelativeTime at={token.createdAt} />
          {token.createdBy && ` by ${token.createdBy}`} · {state === 'live' ? 'ends' : 'ended'}{' '}
          <RelativeTime at={token.endedAt ?? token.expiresAt} />
        </span>
        <span className="text-fg-3 text-xs">
          {token.lastUsedAt ? (
            <>
              last asked <RelativeTime at={token.lastUsedAt} />
            </>
          ) : (
            'never asked'
          )}
          {token.successorId && state === 'live' && (
            <span className="text-warning"> · has a successor, so end it once it no longer asks</span>
          )}
        </span>
      </div>
      <StatePill state={state} plain />
      {actions && (
        <span className="flex flex-wrap gap-2">
          <RotateToken
            token={token}
            offered={state === 'live' && !token.successorId}
            introspectUrl={introspectUrl}
            rotate={actions.rotate}
          />
          {state === 'live' && <EndToken token={token} server={server} end={actions.end} />}
        </span>
      )}
    </li>
  );
}

function EndToken({
  token,
  server,
  end,
}: {
  token: ResourceTokenFacts;
  server: string;
  end: ResourceTokenActions['end'];
}) {
  return (
    <ConfirmAction
      trigger={
        <Button size="sm" aria-label={`End… the token ${token.name}`}>
          End…
        </Button>
      }
      title={`End the token ${token.name}?`}
      description={`From its next question on ${server} is refused an answer. Until it has another token it can tell no good caller from a bad one, and should let nobody in.`}
      button="End token"
      action={end}
      input={() => ({ id: token.id })}
    />
  );
}

const overlaps = [
  { value: '0', label: 'At once' },
  { value: '3600', label: 'In an hour' },
  { value: '86400', label: 'In a day' },
  { value: '604800', label: 'In a week' },
];

function RotateToken({
  token,
  offered,
  introspectUrl,
  rotate,
}: {
  token: ResourceTokenFacts;
  /** Whether it may have a successor now. It has one at once, while what was made is still being shown. */
  offered: boolean;
  introspectUrl: string;
  rotate: ResourceTokenActions['rotate'];
}) {
  const [open, setOpen] = useState(false);
  const [overlap, setOverlap] = useState('86400');
  const [created, setCreated] = useState<(Created & { formerEndsAt: Date }) | null>(null);
  const { run, pending, problem, clear } = useAction(rotate);
  if (!offered && !open) return null;
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) {
          setCreated(null);
          clear();
        }
      }}
      trigger={
        <Button size="sm" aria-label={`Rotate… the token ${token.name}`} className={offered ? '' : 'sr-only'}>
          Rotate…
        </Button>
      }
      title={created ? 'The new resource token' : `Rotate the token ${token.name}`}
      description={
        created ? undefined : 'A successor is made and shown once. Both work until the old one ends.'
      }
      footer={
        created ? (
          <Button onClick={() => setOpen(false)}>I have stored it</Button>
        ) : (
          <>
            <Button onClick={() => setOpen(false)}>Cancel</Button>
            <Button
              variant="primary"
              pending={pending}
              onClick={() => run({ id: token.id, overlapSeconds: Number(overlap) }, setCreated)}
            >
              Make successor
            </Button>
          </>
        )
      }
    >
      {created ? (
        <ShownOnce created={created} introspectUrl={introspectUrl}>
          The old one ends <ExactTime at={created.formerEndsAt} />.
        </ShownOnce>
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

function ShownOnce({
  created,
  introspectUrl,
  children,
}: {
  created: Created;
  introspectUrl: string;
  children?: ReactNode;
}) {
  return (
    <div className="grid gap-3 text-sm">
      <Callout tone="warning" title="Store it now">
        Only a digest is kept, so nobody can show it again. It ends <ExactTime at={created.expiresAt} />.{' '}
        {children}
      </Callout>
      <CodeBlock code={created.token} label="Resource token" wrap />
      <CodeBlock
        code={`curl -H "Authorization: Bearer $RESOURCE_TOKEN" \\\n  --data-urlencode "token=$PRESENTED_TOKEN" ${introspectUrl}`}
        label="Example question"
        caption="Ask about a token (RFC 7662)"
        wrap
      />
    </div>
  );
}

function NewToken({
  serverId,
  introspectUrl,
  create,
}: {
  serverId: string;
  introspectUrl: string;
  create: ResourceTokenActions['create'];
}) {
  const [open, setOpen] = useState(false);
  const [days, setDays] = useState('90');
  const [created, setCreated] = useState<Created | null>(null);
  const { run, pending, problem, clear } = useAction(create);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name') ?? '');
    run({ serverId, name, lifetimeDays: Number(days) }, setCreated);
  }

  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) {
          setCreated(null);
          clear();
        }
      }}
      trigger={<Button size="sm">New token</Button>}
      title={created ? 'The new resource token' : 'New resource token'}
      description={
        created ? undefined : 'It answers for this one server, and is shown once, when it is made.'
      }
      footer={
        created ? (
          <Button onClick={() => setOpen(false)}>I have stored it</Button>
        ) : (
          <>
            <Button onClick={() => setOpen(false)}>Cancel</Button>
            <Button variant="primary" type="submit" form="new-resource-token" pending={pending}>
              Make token
            </Button>
          </>
        )
      }
    >
      {created ? (
        <ShownOnce created={created} introspectUrl={introspectUrl} />
      ) : (
        <form id="new-resource-token" onSubmit={submit} className="grid gap-4" noValidate>
          <ActionProblemNote problem={problem} labels={{ name: 'What will use it' }} />
          <Field name="name" label="What will use it" required error={issueFor(problem, 'name')}>
            <Input name="name" required maxLength={80} autoComplete="off" placeholder="production gateway" />
          </Field>
          <Field name="lifetimeDays" label="Ends after" error={issueFor(problem, 'lifetimeDays')}>
            <Select
              value={days}
              onValueChange={setDays}
              options={['7', '30', '90'].map((value) => ({ value, label: `${value} days` }))}
            />
          </Field>
        </form>
      )}
    </Dialog>
  );
}
