'use client';

import { type FormEvent, useId, useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { Countdown } from '#components/console/relative-time.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Checkbox } from '#components/ui/checkbox.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { Dialog, DialogClose } from '#components/ui/dialog.tsx';
import { Field, Fieldset } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import type { InvitableServer } from './types.ts';

type Invited = { joinToken: string; expiresAt: string };
export type InviteGuardAction = Action<{ name: string; serverIds: string[] }, Invited>;

const labels = { name: 'Name', serverIds: 'Servers' };

/** Makes a join token and shows it once, with everything needed to start the guard. */
export function InviteGuard({
  servers,
  preselected,
  taken,
  invite,
  onClose,
}: {
  servers: InvitableServer[];
  preselected: string | null;
  taken: string[];
  invite: InviteGuardAction;
  onClose: () => void;
}) {
  const formId = useId();
  const preset = servers.find((server) => server.id === preselected);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set(preset ? [preset.id] : []));
  const [name, setName] = useState(preset ? suggestName(preset.name, taken) : '');
  const [invited, setInvited] = useState<Invited | null>(null);
  const { run, pending, problem } = useAction(invite);
  const picked = servers.filter((server) => chosen.has(server.id));

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    run({ name, serverIds: [...chosen] }, setInvited);
  }

  if (invited) {
    return (
      <Dialog
        open
        size="lg"
        onOpenChange={(open) => !open && onClose()}
        title={`Start ${name}`}
        description="On the host where the guard shall live, with Node 24. It makes its own keys and enrols itself."
        footer={
          <DialogClose>
            <Button variant="primary">Done</Button>
          </DialogClose>
        }
      >
        <div className="grid gap-4">
          <Callout tone="warning" title="This token is shown once">
            It works for one guard, once:{' '}
            <Countdown until={invited.expiresAt} totalSeconds={900} over="it has ended" />. Whoever has it can
            put a guard in front of these servers.
          </Callout>
          <details>
            <summary className="min-h-6 rounded-xs text-fg-2 text-sm">
              Not installed there yet? Make its package and carry it over
            </summary>
            <div className="grid gap-3 pt-2">
              <CodeBlock
                label="In the folder of Countersign"
                caption="In the folder of Countersign"
                code={'node guard/build.mjs guard-package && npm pack ./guard-package'}
                wrap
              />
              <CodeBlock
                label="On the host of the guard"
                caption="On the host of the guard"
                code={'npm install ./countersign-guard-*.tgz'}
                wrap
              />
            </div>
          </details>
          <CodeBlock
            label="guard.json"
            caption="guard.json"
            code={configurationFor(picked)}
            maxHeight="14rem"
          />
          <CodeBlock
            label="Command"
            caption="Start it"
            // Without --no, npx would take a stranger's package of this name where ours is not installed.
            code={`COUNTERSIGN_JOIN_TOKEN='${invited.joinToken}' \\\n  npx --no countersign-guard guard.json`}
            wrap
          />
          <p className="text-fg-2 text-sm">
            The guard appears in this list as soon as it has enrolled. The token is not needed again: from
            then on it proves itself with its own key.
          </p>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && !pending && onClose()}
      title="Add guard"
      description="A one-time token lets one guard enrol, for the servers you choose and no others."
      footer={
        <>
          <DialogClose>
            <Button disabled={pending}>Cancel</Button>
          </DialogClose>
          <Button type="submit" form={formId} variant="primary" pending={pending}>
            Make join token
          </Button>
        </>
      }
    >
      <form id={formId} onSubmit={submit} noValidate className="grid gap-4">
        <ActionProblemNote problem={problem} labels={labels} />
        <Fieldset legend="Servers it stands in front of" hint={issueFor(problem, 'serverIds') ?? undefined}>
          <div className="grid gap-1">
            {servers.map((server) => (
              <Checkbox
                key={server.id}
                label={server.name}
                hint={<span className="break-all font-mono">{server.resource}</span>}
                checked={chosen.has(server.id)}
                onCheckedChange={(on) => {
                  const next = new Set(chosen);
                  if (on) next.add(server.id);
                  else next.delete(server.id);
                  setChosen(next);
                  if (on && name === '') setName(suggestName(server.name, taken));
                }}
              />
            ))}
          </div>
        </Fieldset>
        <Field
          name="name"
          label={labels.name}
          required
          error={issueFor(problem, 'name')}
          hint="How receipts and history call it."
        >
          <Input
            name="name"
            maxLength={80}
            autoComplete="off"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
        </Field>
      </form>
    </Dialog>
  );
}

function suggestName(server: string, taken: string[]): string {
  const base =
    server
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-|-$/g, '') || 'guard';
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`;
    if (!taken.includes(name)) return name;
  }
}

/** The guard's configuration file: where it keeps its keys, and how it reaches each server. */
function configurationFor(servers: InvitableServer[]): string {
  const upstreams = Object.fromEntries(
    servers.map((server) => [
      server.id,
      server.upstreamUrl ? { url: server.upstreamUrl } : { stdio: { command: 'your-mcp-server', args: [] } },
    ]),
  );
  return JSON.stringify({ stateDir: './guard-state', upstreams }, null, 2);
}
