'use client';

import type { Action } from '#components/console/action.ts';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { CopyableId, DigestChip } from '#components/console/copyable-id.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { Countdown, RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { Timeline } from '#components/console/timeline.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { Dossier } from '#components/evidence/dossier.tsx';
import { Button } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import { Table, TableCell, TableHeader, TableRow } from '#components/ui/table.tsx';
import { type ForgottenCause, forgottenBecause } from '#lib/registration/forgotten.ts';
import type { ClientDetail } from '#lib/registration/read-clients.ts';
import { type DiscardAction, PendingChange } from './pending-change.tsx';
import { kindWord } from './words.ts';

export type EndAction = Action<{ clientId: string; reason: string }, { clientId: string }>;

/** One client: what it says of itself, where it came from, who uses it as what, and what happened to it. */
export function ClientView({
  client,
  eventWords,
  mayEnd,
  mayForget,
  endQuarantine,
  forgetClient,
  discardPending,
}: {
  client: ClientDetail;
  /** What each kind of event says, from the catalogue of events. */
  eventWords: Readonly<Record<string, string>>;
  mayEnd: boolean;
  mayForget: boolean;
  endQuarantine: EndAction;
  forgetClient: EndAction;
  discardPending: DiscardAction;
}) {
  const isUnclaimed = client.state === 'quarantined' || client.state === 'unclaimed';
  const isLiving = client.instances.some(({ state }) =>
    ['quarantined', 'active', 'suspended'].includes(state),
  );
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['clients', 'agents']} />
      <PageHeader
        title={<UntrustedText text={client.name || client.id} />}
        crumbs={[{ label: 'Clients', href: '/clients' }]}
        state={<StatePill state={client.state} />}
        meta={
          <>
            <CopyableId id={client.id} label="client_id" keep={44} />
            <span>{kindWord(client.kind)}</span>
            <span>
              first seen <RelativeTime at={client.registeredAt} />
            </span>
            {client.quarantineEndsAt && (
              <span>
                quarantine ends: <Countdown until={client.quarantineEndsAt} over="now" />
              </span>
            )}
          </>
        }
        actions={
          <>
            {mayEnd && isUnclaimed && (
              <ConfirmAction
                trigger={<Button variant="danger-outline">End quarantine…</Button>}
                title="End this quarantine?"
                description="Nobody can claim it any more. Its program is told to register again, and does so under a new id."
                button="End quarantine"
                action={endQuarantine}
                input={(reason) => ({ clientId: client.id, reason })}
                reason
              />
            )}
            {mayForget && !isUnclaimed && !client.forgottenAt && !isLiving && (
              <ConfirmAction
                trigger={<Button variant="danger-outline">Forget client…</Button>}
                title="Forget this client?"
                description="Every answer to it will say that it has to register again. Its history stays."
                button="Forget client"
                action={forgetClient}
                input={(reason) => ({ clientId: client.id, reason })}
                reason
              />
            )}
          </>
        }
      />
      {client.forgottenAt && (
        <Callout
          tone="info"
          title={
            client.forgottenCause === 'unclaimed' ? 'Nobody claimed it in time' : 'This client has ended'
          }
        >
          {client.forgottenCause === 'unclaimed'
            ? 'Its registration ended by itself. The person who started it can still ask for it by signing in again.'
            : forgottenBecause[client.forgottenCause as ForgottenCause]}{' '}
          <RelativeTime at={client.forgottenAt} />.
        </Callout>
      )}
      <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_22rem] lg:items-start">
        <div className="grid min-w-0 gap-4">
          {client.pending && (
            <PendingChange clientId={client.id} pending={client.pending} discard={discardPending} />
          )}
          <Card title="Used as" description="An instance is this client in the hands of one owner.">
            {client.instances.length === 0 ? (
              <p className="text-fg-2 text-sm">Nobody has claimed it. It can do nothing.</p>
            ) : (
              <Table label="Instances">
                <thead>
                  <TableRow>
                    <TableHeader>Owner</TableHeader>
                    <TableHeader>Agent</TableHeader>
                    <TableHeader>State</TableHeader>
                    <TableHeader>Since</TableHeader>
                  </TableRow>
                </thead>
                <tbody>
                  {client.instances.map((instance) => (
                    <TableRow key={instance.id}>
                      <TableCell>{instance.owner}</TableCell>
                      <TableCell>
                        {instance.agent ? (
                          <TextLink href={`/agents/${instance.agent.id}`}>{instance.agent.name}</TextLink>
                        ) : (
                          '–'
                        )}
                      </TableCell>
                      <TableCell>
                        <StatePill
                          state={instance.state}
                          {...(instance.stateCause ? { cause: instance.stateCause } : {})}
                        />
                      </TableCell>
                      <TableCell>
                        <RelativeTime at={instance.stateSince} />
                      </TableCell>
                    </TableRow>
                  ))}
                </tbody>
              </Table>
            )}
          </Card>
          <Card title="Metadata" description="As registered. Everything in it is the client’s own word.">
            <div className="grid gap-4">
              <DescriptionList
                columns={2}
                items={[
                  {
                    term: 'Redirects',
                    value: client.redirectUris.length > 0 && (
                      <ul className="grid gap-0.5">
                        {client.redirectUris.map((uri) => (
                          <li key={uri}>
                            <code className="break-all text-xs">
                              <UntrustedText text={uri} />
                            </code>
                          </li>
                        ))}
                      </ul>
                    ),
                  },
                  {
                    term: 'Proves itself by',
                    value: <code className="text-xs">{client.tokenEndpointAuthMethod}</code>,
                  },
                  { term: 'Grants', value: client.grantTypes.join(', ') },
                  { term: 'Digest', value: <DigestChip digest={client.metadataDigest} /> },
                  { term: 'Registered from', value: client.sourceAddress ?? '' },
                  {
                    term: 'User agent',
                    value: client.userAgent ? <UntrustedText text={client.userAgent} /> : '',
                  },
                  {
                    term: 'Answers for it until claimed',
                    value: client.custodian.startsWith('role:')
                      ? `every ${client.custodian.slice(5)}`
                      : client.custodian,
                  },
                  client.sameSoftware > 0 && {
                    term: 'Look-alikes',
                    value: (
                      <TextLink href={`/clients?fingerprint=${encodeURIComponent(client.fingerprint)}`}>
                        {client.sameSoftware} other {client.sameSoftware === 1 ? 'client' : 'clients'}
                      </TextLink>
                    ),
                  },
                ]}
              />
              <details>
                <summary className="min-h-6 cursor-pointer text-fg-2 text-xs">Whole document</summary>
                <CodeBlock label="Client metadata" code={JSON.stringify(client.metadata, null, 2)} wrap />
              </details>
            </div>
          </Card>
          <Card title="History">
            {client.history.length === 0 ? (
              <p className="text-fg-2 text-sm">Nothing you may see has happened to it.</p>
            ) : (
              <Timeline
                label="History of this client"
                items={client.history.map((event) => ({
                  key: event.id,
                  title: (
                    <TextLink href={`/audit/${event.id}`}>{eventWords[event.kind] ?? event.kind}</TextLink>
                  ),
                  time: <RelativeTime at={event.at} />,
                  body: (
                    <>
                      {event.actor}
                      {event.reason && (
                        <>
                          {' · '}
                          <UntrustedText text={event.reason} />
                        </>
                      )}
                    </>
                  ),
                  ...(event.outcome === 'refused' ? { tone: 'danger' as const } : {}),
                }))}
              />
            )}
          </Card>
        </div>
        <Card title="Origin" description="What we know, and how.">
          <Dossier facts={client.facts} />
        </Card>
      </div>
    </div>
  );
}
