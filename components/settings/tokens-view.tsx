'use client';

import { type FormEvent, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { ExactTime } from '#components/console/relative-time.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { Dialog } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { Select } from '#components/ui/select.tsx';
import type { ApiTokenRow } from '#lib/access/read-people.ts';
import { ApiTokenList, type EndApiTokenAction } from './api-token-list.tsx';

type Created = { tokenId: string; token: string; expiresAt: string };
type CreateAction = Action<{ name: string; days?: number }, Created>;

/** API tokens of one's own: made here, shown once, ended here. */
export function TokensView({
  tokens,
  apiUrl,
  actions,
}: {
  tokens: readonly ApiTokenRow[];
  apiUrl: string;
  actions: { createApiToken: CreateAction; endApiToken: EndApiTokenAction };
}) {
  return (
    <Card
      title="API tokens"
      description="For scripts that call the REST API as you. A token can do what you may do at the moment of each call, and never sign."
      flush
      actions={<NewToken apiUrl={apiUrl} createApiToken={actions.createApiToken} />}
    >
      <ApiTokenList tokens={tokens} endApiToken={actions.endApiToken} empty="You have made no token." />
    </Card>
  );
}

function NewToken({ apiUrl, createApiToken }: { apiUrl: string; createApiToken: CreateAction }) {
  const [open, setOpen] = useState(false);
  const [days, setDays] = useState('30');
  const [created, setCreated] = useState<Created | null>(null);
  const { run, pending, problem, clear } = useAction(createApiToken);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('name') ?? '');
    run({ name, days: Number(days) }, setCreated);
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
      trigger={
        <Button size="sm" variant="primary">
          New token
        </Button>
      }
      title={created ? 'Your new token' : 'New API token'}
      description={created ? undefined : 'It is shown once, when it is made.'}
      footer={
        created ? (
          <Button onClick={() => setOpen(false)}>I have stored it</Button>
        ) : (
          <>
            <Button onClick={() => setOpen(false)}>Cancel</Button>
            <Button variant="primary" type="submit" form="new-token" pending={pending}>
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
          <CodeBlock code={created.token} label="API token" wrap />
          <CodeBlock
            code={`curl -H "Authorization: Bearer $COUNTERSIGN_TOKEN" ${apiUrl}/me`}
            label="Example call"
            caption="Try it"
            wrap
          />
        </div>
      ) : (
        <form id="new-token" onSubmit={submit} className="grid gap-4" noValidate>
          <ActionProblemNote problem={problem} />
          <Field name="name" label="What will use it" required error={issueFor(problem, 'name')}>
            <Input name="name" required maxLength={100} autoComplete="off" placeholder="nightly report" />
          </Field>
          <Field name="days" label="Ends after" error={issueFor(problem, 'days')}>
            <Select
              value={days}
              onValueChange={setDays}
              options={['1', '7', '30', '90'].map((value) => ({
                value,
                label: value === '1' ? '1 day' : `${value} days`,
              }))}
            />
          </Field>
        </form>
      )}
    </Dialog>
  );
}
