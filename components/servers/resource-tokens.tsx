'use client';

import { type FormEvent, useState } from 'react';
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
              end={mayAdmin ? actions.end : null}
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
  end,
}: {
  token: ResourceTokenFacts;
  nowMs: number;
  server: string;
  end: ResourceTokenActions['end'] | null;
}) {
  const state = token.endedAt ? 'ended' : token.expiresAt.getTime() <= nowMs ? 'expired' : 'live';
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5 text-sm">
      <div className="grid min-w-40 flex-1 gap-0.5">
        <span className={state === 'live' ? 'font-medium' : 'text-fg-2'}>
          <UntrustedText text={token.name} />
        </span>
        <span className="text-fg-3 text-xs">
          made <RelativeTime at={token.createdAt} /> · {state === 'live' ? 'ends' : 'ended'}{' '}
          <RelativeTime at={token.endedAt ?? token.expiresAt} />
        </span>
      </div>
      <StatePill state={state} plain />
      {state === 'live' && end && <EndToken token={token} server={server} end={end} />}
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
        <div className="grid gap-3 text-sm">
          <Callout tone="warning" title="Store it now">
            Only a digest is kept, so nobody can show it again. It ends <ExactTime at={created.expiresAt} />.
          </Callout>
          <CodeBlock code={created.token} label="Resource token" wrap />
          <CodeBlock
            code={`curl -H "Authorization: Bearer $RESOURCE_TOKEN" \\\n  --data-urlencode "token=$PRESENTED_TOKEN" ${introspectUrl}`}
            label="Example question"
            caption="Ask about a token (RFC 7662)"
            wrap
          />
        </div>
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
