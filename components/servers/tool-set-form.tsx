'use client';

import { useRouter } from 'next/navigation';
import { type FormEvent, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import type { PickableServer } from './pickable.ts';
import { ToolPicker } from './tool-picker.tsx';

const labels = { name: 'Name', purpose: 'What it is for', toolIds: 'Tools' };

/** Names a set and chooses its first tools. */
export function ToolSetForm({
  servers,
  create,
}: {
  servers: PickableServer[];
  create: Action<{ name: string; purpose?: string; toolIds: string[] }, { id: string }>;
}) {
  const router = useRouter();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const { run, pending, problem } = useAction(create);
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    run(
      {
        name: String(form.get('name') ?? '').trim(),
        purpose: String(form.get('purpose') ?? '').trim(),
        toolIds: [...chosen],
      },
      ({ id }) => router.push(`/tool-sets/${id}`),
    );
  }
  if (servers.length === 0) {
    return (
      <EmptyState title="No tools to choose from" actions={<LinkButton href="/servers">Servers</LinkButton>}>
        Sync a server first; a set holds tools of the catalogue.
      </EmptyState>
    );
  }
  return (
    <form onSubmit={submit} noValidate className="grid max-w-216 gap-4">
      <ActionProblemNote problem={problem} labels={labels} />
      <Card title="The set">
        <div className="grid gap-4 sm:grid-cols-2">
          <Field
            name="name"
            label={labels.name}
            required
            error={issueFor(problem, 'name')}
            hint="As a role, such as “Support reader”."
          >
            <Input name="name" maxLength={80} autoComplete="off" />
          </Field>
          <Field name="purpose" label={labels.purpose} optional error={issueFor(problem, 'purpose')}>
            <Input name="purpose" maxLength={500} autoComplete="off" />
          </Field>
        </div>
      </Card>
      <Card title="Tools" description={`${chosen.size} chosen`}>
        <ToolPicker servers={servers} chosen={chosen} onChange={setChosen} />
      </Card>
      <div className="flex flex-wrap justify-end gap-2">
        <LinkButton href="/tool-sets">Cancel</LinkButton>
        <Button
          type="submit"
          variant="primary"
          pending={pending}
          disabledReason={chosen.size === 0 ? 'Choose at least one tool.' : null}
        >
          Create tool set
        </Button>
      </div>
    </form>
  );
}
