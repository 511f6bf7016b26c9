'use client';

import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Countdown } from '#components/console/relative-time.tsx';
import { EmptyState } from '#components/console/states.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { LinkButton } from '#components/ui/link-button.tsx';
import { Tabs } from '#components/ui/tabs.tsx';
import type { RevealView as Reveals } from '#lib/credentials/read-credentials.ts';
import type { RevealedCredential } from '#lib/credentials/reveal-credential.ts';
import { snippetsFor } from './snippets.ts';

export type RevealAction = Action<{ revealId: string }, RevealedCredential>;

/** The owner's page for tokens they carry themselves. Nothing secret is in it until the owner asks. */
export function RevealView({ view, reveal }: { view: Reveals; reveal: RevealAction }) {
  const agentHref = `/agents/${view.agent.id}`;
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Reveal token"
        crumbs={[
          { label: 'Agents', href: '/agents' },
          { label: view.agent.name, href: agentHref },
        ]}
        description="This agent has no key of its own, so you carry its token to where it runs. A token lives five minutes at most; its digest is all that is stored."
      />
      {view.reveals.length === 0 ? (
        <EmptyState
          title="There is nothing to reveal"
          actions={<LinkButton href={agentHref}>Open the agent</LinkButton>}
        >
          A token can be revealed within 24 hours of an approval, by the agent’s owner. Ask for a new
          approval, or bind a key to the agent: then it gets its own tokens.
        </EmptyState>
      ) : (
        view.reveals.map((each) => <OneServer key={each.id} facts={each} reveal={reveal} />)
      )}
    </div>
  );
}

function OneServer({ facts, reveal }: { facts: Reveals['reveals'][number]; reveal: RevealAction }) {
  const { run, pending, problem } = useAction(reveal);
  const [revealed, setRevealed] = useState<RevealedCredential | null>(null);
  const minted = facts.minted > 0 || revealed !== null;
  const ask = () => run({ revealId: facts.id }, setRevealed);
  return (
    <Card title={<UntrustedText text={facts.serverName} />}>
      <div className="grid gap-4">
        <DescriptionList
          columns={2}
          items={[
            { term: 'Server', value: <span className="break-all font-mono text-xs">{facts.resource}</span> },
            { term: 'Can be revealed', value: <Countdown until={facts.expiresAt} over="time is over" /> },
            {
              term: 'Tools',
              value: (
                <span className="flex flex-wrap gap-x-2 gap-y-1 font-mono text-xs">
                  {(revealed?.tools ?? facts.tools).map((tool) => (
                    <UntrustedText key={tool} text={tool} />
                  ))}
                </span>
              ),
            },
          ]}
        />
        <ActionProblemNote problem={problem} />
        {revealed ? (
          <Revealed revealed={revealed} pending={pending} again={ask} />
        ) : (
          <div className="grid justify-items-start gap-2">
            <Button variant="primary" pending={pending} onClick={ask}>
              {minted ? 'Mint a new token' : 'Reveal token'}
            </Button>
            <p className="text-fg-3 text-xs">
              {minted
                ? 'A token was revealed before. A new one ends it, and both stand in the ledger.'
                : 'It is minted when you press, shown once, and ends five minutes later.'}
            </p>
          </div>
        )}
      </div>
    </Card>
  );
}

function Revealed({
  revealed,
  pending,
  again,
}: {
  revealed: RevealedCredential;
  pending: boolean;
  again(): void;
}) {
  const snippets = snippetsFor(revealed);
  return (
    <div className="grid gap-4">
      <Callout
        tone="warning"
        announce
        title={
          <>
            Shown once: <Countdown until={revealed.expiresAt} totalSeconds={revealed.expiresInSeconds} />
          </>
        }
      >
        {revealed.supersededEarlier && 'The token revealed before has ended. '}
        Whoever holds this token can call these tools until it ends. Leaving this page forgets it.
      </Callout>
      <CodeBlock code={revealed.token} label="Access token" caption="Access token" wrap maxHeight="8rem" />
      <Tabs
        label="How to use it"
        tabs={snippets.map(({ value, label, caption, code }) => ({
          value,
          label,
          content: <CodeBlock code={code} label={`${label} configuration`} caption={caption} />,
        }))}
      />
      <div className="grid justify-items-start gap-2">
        <Button pending={pending} onClick={again}>
          Lost it? Mint a new one
        </Button>
        <p className="text-fg-3 text-xs">The token above ends at that moment.</p>
      </div>
    </div>
  );
}
