'use client';

import { Pencil } from 'lucide-react';
import { type FormEvent, useId, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Checkbox } from '#components/ui/checkbox.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { Select } from '#components/ui/select.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { CatalogueServer } from '#lib/catalogue/read-catalogue.ts';
import { syncIntervals } from '#lib/catalogue/sync-intervals.ts';

export type EditServerInput = {
  serverId: string;
  name?: string;
  description?: string;
  upstreamUrl?: string;
  upstreamCredential?: string;
  syncEverySeconds?: SyncInterval | null;
};

type SyncInterval = (typeof syncIntervals)[number];

const intervalWords: Record<string, string> = {
  '3600': 'Every hour',
  '21600': 'Every six hours',
  '86400': 'Every day',
  '604800': 'Every week',
};
const byHand = 'never';

const labels = {
  name: 'Name',
  description: 'What it is for',
  upstreamUrl: 'Server URL',
  upstreamCredential: 'New credential',
  syncEverySeconds: 'Read its tools',
};

/** Changes what may change of a server; its public URL may not. */
export function EditServer({
  server,
  edit,
}: {
  server: CatalogueServer;
  edit: Action<EditServerInput, void>;
}) {
  const [open, setOpen] = useState(false);
  const [removes, setRemoves] = useState(false);
  const [every, setEvery] = useState(String(server.syncEverySeconds ?? byHand));
  const formId = useId();
  const { run, pending, problem, clear } = useAction(edit);
  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const credential = text('upstreamCredential');
    run(
      {
        serverId: server.id,
        name: text('name'),
        description: text('description'),
        syncEverySeconds: every === byHand ? null : (Number(every) as SyncInterval),
        ...(server.upstreamUrl ? { upstreamUrl: text('upstreamUrl') } : {}),
        ...(removes ? { upstreamCredential: '' } : credential ? { upstreamCredential: credential } : {}),
      },
      () => {
        setOpen(false);
        notify({ tone: 'success', title: 'Server changed' });
      },
    );
  }
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        clear();
        setRemoves(false);
        setEvery(String(server.syncEverySeconds ?? byHand));
        setOpen(next);
      }}
      trigger={<Button icon={<Pencil aria-hidden />}>Edit</Button>}
      title="Edit server"
      description="Its public URL stays: tokens name it as their audience."
      footer={
        <>
          <DialogClose>
            <Button>Cancel</Button>
          </DialogClose>
          <Button type="submit" form={formId} variant="primary" pending={pending}>
            Save
          </Button>
        </>
      }
    >
      <form id={formId} onSubmit={submit} noValidate className="grid gap-4">
        <ActionProblemNote problem={problem} labels={labels} />
        <Field name="name" label={labels.name} required error={issueFor(problem, 'name')}>
          <Input name="name" defaultValue={server.name} maxLength={80} autoComplete="off" />
        </Field>
        <Field
          name="description"
          label={labels.description}
          optional
          error={issueFor(problem, 'description')}
        >
          <Input name="description" defaultValue={server.description} maxLength={500} autoComplete="off" />
        </Field>
        <Field
          name="syncEverySeconds"
          label={labels.syncEverySeconds}
          error={issueFor(problem, 'syncEverySeconds')}
          hint="Give or take a tenth, so that servers are not all read at once. A changed tool is withheld as soon as it is seen."
        >
          <Select
            value={every}
            onValueChange={setEvery}
            options={[
              ...syncIntervals.map((seconds) => ({
                value: String(seconds),
                label: intervalWords[seconds] ?? `Every ${seconds} s`,
              })),
              { value: byHand, label: 'Only when somebody asks' },
            ]}
          />
        </Field>
        {server.upstreamUrl && (
          <>
            <Field
              name="upstreamUrl"
              label={labels.upstreamUrl}
              required
              error={issueFor(problem, 'upstreamUrl')}
            >
              <Input
                name="upstreamUrl"
                type="url"
                mono
                defaultValue={server.upstreamUrl}
                autoComplete="off"
              />
            </Field>
            <Field
              name="upstreamCredential"
              label={labels.upstreamCredential}
              optional
              error={issueFor(problem, 'upstreamCredential')}
              hint="Left empty, the stored one stays. It cannot be shown."
            >
              <Input name="upstreamCredential" type="password" mono disabled={removes} autoComplete="off" />
            </Field>
            <Checkbox label="Remove the stored credential" checked={removes} onCheckedChange={setRemoves} />
          </>
        )}
      </form>
    </Dialog>
  );
}
