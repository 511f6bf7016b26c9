'use client';

import { useRouter } from 'next/navigation';
import type { FormEvent } from 'react';
import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote, issueFor } from '#components/console/action-problem.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { Field } from '#components/ui/field.tsx';
import { Input } from '#components/ui/input.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { RadioGroup } from '#components/ui/radio-group.tsx';
import { Select } from '#components/ui/select.tsx';

type AddServerInput = {
  name: string;
  description: string;
  resource: string;
  upstreamUrl: string | null;
  upstreamCredential: string | null;
  environment: 'production' | 'staging' | 'sandbox';
};

const labels = {
  name: 'Name',
  description: 'What it is for',
  resource: 'Public URL',
  upstreamUrl: 'Server URL',
  upstreamCredential: 'Credential',
  environment: 'Environment',
};

/** Adds an MCP server; its tools are read on the next page. */
export function AddServerForm({ addServer }: { addServer: Action<AddServerInput, { id: string }> }) {
  const router = useRouter();
  const [hosting, setHosting] = useState<'url' | 'guard'>('url');
  const { run, pending, problem } = useAction(addServer);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    run(
      {
        name: text('name'),
        description: text('description'),
        resource: text('resource'),
        upstreamUrl: hosting === 'url' ? text('upstreamUrl') || null : null,
        upstreamCredential: hosting === 'url' ? text('upstreamCredential') || null : null,
        environment: text('environment') as AddServerInput['environment'],
      },
      ({ id }) => router.push(`/servers/${id}?added=1`),
    );
  }

  return (
    <form onSubmit={submit} noValidate className="grid max-w-180 gap-4">
      <ActionProblemNote problem={problem} labels={labels} />
      <Card title="The server">
        <div className="grid gap-4">
          <div className="grid gap-4 sm:grid-cols-[minmax(0,1fr)_11rem]">
            <Field
              name="name"
              label={labels.name}
              required
              error={issueFor(problem, 'name')}
              hint="As people here call it."
            >
              <Input name="name" required maxLength={80} autoComplete="off" />
            </Field>
            <Field name="environment" label={labels.environment} error={issueFor(problem, 'environment')}>
              <Select
                name="environment"
                defaultValue="production"
                options={[
                  { value: 'production', label: 'Production' },
                  { value: 'staging', label: 'Staging' },
                  { value: 'sandbox', label: 'Sandbox' },
                ]}
              />
            </Field>
          </div>
          <Field
            name="description"
            label={labels.description}
            optional
            error={issueFor(problem, 'description')}
          >
            <Input name="description" maxLength={500} autoComplete="off" />
          </Field>
        </div>
      </Card>
      <Card title="Where it is">
        <div className="grid gap-4">
          <Field
            name="resource"
            label={labels.resource}
            required
            error={issueFor(problem, 'resource')}
            hint="What clients connect to: the URL of its guard. Tokens name it as their audience, so it cannot change later."
          >
            <Input
              name="resource"
              type="url"
              mono
              required
              maxLength={2048}
              placeholder="https://mcp.example.com/crm"
              autoComplete="off"
            />
          </Field>
          <Field name="hosting" label="How the guard reaches it">
            <RadioGroup
              layout="cards"
              value={hosting}
              onValueChange={setHosting}
              options={[
                { value: 'url', label: 'By URL', hint: 'It runs elsewhere and speaks Streamable HTTP.' },
                {
                  value: 'guard',
                  label: 'The guard hosts it',
                  hint: 'A program the guard starts, over stdio.',
                },
              ]}
            />
          </Field>
          {hosting === 'url' ? (
            <>
              <Field
                name="upstreamUrl"
                label={labels.upstreamUrl}
                required
                error={issueFor(problem, 'upstreamUrl')}
                hint="The server itself, behind the guard. Its tools are read from here."
              >
                <Input
                  name="upstreamUrl"
                  type="url"
                  mono
                  maxLength={2048}
                  placeholder="http://crm.internal:8080/mcp"
                  autoComplete="off"
                />
              </Field>
              <Field
                name="upstreamCredential"
                label={labels.upstreamCredential}
                optional
                error={issueFor(problem, 'upstreamCredential')}
                hint="Sent to the server as a bearer token when its tools are read. Stored encrypted and never shown again."
              >
                <Input name="upstreamCredential" type="password" mono maxLength={8192} autoComplete="off" />
              </Field>
            </>
          ) : (
            <p className="text-fg-2 text-sm">
              Its tools are read through the guard, so enrol a guard for it before the first sync. The command
              to start goes into the guard's own configuration, under this server's id.
            </p>
          )}
        </div>
      </Card>
      <div className="flex flex-wrap justify-end gap-2">
        <LinkButton href="/servers">Cancel</LinkButton>
        <Button type="submit" variant="primary" pending={pending}>
          Add server
        </Button>
      </div>
    </form>
  );
}
