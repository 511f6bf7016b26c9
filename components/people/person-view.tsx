'use client';

import { KeyRound, UserX } from 'lucide-react';
import { useState } from 'react';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { CopyableId } from '#components/console/copyable-id.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { useAction } from '#components/console/use-action.ts';
import { ApiTokenList } from '#components/settings/api-token-list.tsx';
import { SessionList } from '#components/settings/session-list.tsx';
import { Button } from '#components/ui/button.tsx';
import { Card } from '#components/ui/card.tsx';
import { DescriptionList } from '#components/ui/description-list.tsx';
import { Dialog } from '#components/ui/dialog.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { ResetLink } from '#lib/access/invitations.ts';
import type { PersonFacts } from '#lib/access/read-people.ts';
import { OneTimeLink } from './one-time-link.tsx';
import type { PersonActions } from './person-actions.ts';
import { PersonGroups } from './person-groups.tsx';
import { PersonIdentities } from './person-identities.tsx';
import { PersonKeys } from './person-keys.tsx';
import { PersonRoles } from './person-roles.tsx';

/** One person: what they may do and why, where they are signed in, and how to stop it. */
export function PersonView({
  person,
  rights,
  groups,
  viewer,
  provider,
  actions,
}: {
  person: PersonFacts;
  rights: readonly { right: string; from: readonly string[] }[];
  groups: readonly { groupId: string; name: string; kind: string }[];
  viewer: { personId: string; canManage: boolean };
  /** The identity provider, where one is configured. */
  provider: { name: string; issuer: string } | null;
  actions: PersonActions;
}) {
  const isSelf = viewer.personId === person.personId;
  const isActive = person.state === 'active';
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['people']} id={person.personId} />
      <PageHeader
        crumbs={[{ label: 'People', href: '/people' }]}
        title={person.displayName}
        state={<StatePill state={person.state} />}
        meta={person.email}
        actions={
          viewer.canManage ? (
            isActive ? (
              <>
                <ResetDialog
                  person={person}
                  provider={provider}
                  issuePasswordReset={actions.issuePasswordReset}
                />
                <DeactivateDialog
                  person={person}
                  isSelf={isSelf}
                  deactivatePerson={actions.deactivatePerson}
                />
              </>
            ) : (
              <Reactivate person={person} reactivatePerson={actions.reactivatePerson} />
            )
          ) : null
        }
      />
      <div className="grid gap-4 xl:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <div className="grid content-start gap-4">
          <PersonRoles person={person} viewer={viewer} actions={actions} />
          <Card
            title="Sessions"
            description="Where this person is signed in, and the last ones that ended."
            flush
          >
            <SessionList
              sessions={person.sessions}
              endSession={viewer.canManage ? actions.endSession : null}
              empty="Never signed in."
            />
          </Card>
          <Card
            title="API tokens"
            description="Each does what its holder may do at the moment of the call, and no more."
            flush
          >
            <ApiTokenList
              tokens={person.apiTokens}
              endApiToken={viewer.canManage ? actions.endApiToken : null}
              empty="This person has made no token."
            />
          </Card>
        </div>
        <div className="grid content-start gap-4">
          <Card title="What this person may do">
            {rights.length === 0 ? (
              <p className="text-fg-2 text-sm">
                {isActive
                  ? 'Nothing yet. Grant a role to change that.'
                  : 'Nothing any more: deactivated people cannot sign in and hold no role.'}
              </p>
            ) : (
              <ul className="grid gap-2 text-sm">
                {rights.map(({ right, from }) => (
                  <li key={right} className="grid gap-0.5">
                    <span>{right}</span>
                    <span className="text-fg-3 text-xs">as {from.join(' and ')}</span>
                  </li>
                ))}
              </ul>
            )}
          </Card>
          <PersonGroups person={person} groups={groups} canManage={viewer.canManage} actions={actions} />
          <PersonKeys person={person} resetKeys={viewer.canManage && !isSelf ? actions.resetKeys : null} />
          {person.identities.length > 0 && (
            <PersonIdentities
              person={person}
              provider={provider}
              unlinkPerson={viewer.canManage ? actions.unlinkPerson : null}
            />
          )}
          <Card title="Facts">
            <DescriptionList
              items={[
                { term: 'Verified subject', value: <CopyableId id={person.subject} label="subject" /> },
                { term: 'Id', value: <CopyableId id={person.personId} label="person id" /> },
                { term: 'Here since', value: <RelativeTime at={person.createdAt} /> },
                person.deactivatedAt !== null && {
                  term: 'Deactivated',
                  value: <RelativeTime at={person.deactivatedAt} />,
                },
                {
                  term: 'Owns agents',
                  value: <TextLink href={`/agents?owner=${person.personId}`}>{person.ownedAgents}</TextLink>,
                },
                {
                  term: 'History',
                  value: <TextLink href={`/audit?actor=${person.personId}`}>What they did</TextLink>,
                },
              ]}
            />
          </Card>
        </div>
      </div>
    </div>
  );
}

function ResetDialog({
  person,
  provider,
  issuePasswordReset,
}: {
  person: PersonFacts;
  provider: { name: string; issuer: string } | null;
  issuePasswordReset: PersonActions['issuePasswordReset'];
}) {
  const [open, setOpen] = useState(false);
  const [link, setLink] = useState<ResetLink | null>(null);
  const { run, pending, problem, clear } = useAction(issuePasswordReset);
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        setOpen(next);
        if (!next) {
          setLink(null);
          clear();
        }
      }}
      trigger={
        <Button
          icon={<KeyRound aria-hidden />}
          disabledReason={
            !person.hasPassword && person.identities.some(({ issuer }) => issuer === provider?.issuer)
              ? `This person signs in through ${provider?.name} and has no password.`
              : null
          }
        >
          Reset password
        </Button>
      }
      title={`Reset the password of ${person.displayName}`}
      description={
        link
          ? undefined
          : 'Whoever uses the link can sign in as this person. They and the other admins are told that you made it.'
      }
      footer={
        link ? (
          <Button onClick={() => setOpen(false)}>Done</Button>
        ) : (
          <>
            <Button onClick={() => setOpen(false)}>Cancel</Button>
            <Button
              variant="primary"
              pending={pending}
              onClick={() => run({ personId: person.personId }, setLink)}
            >
              Make the link
            </Button>
          </>
        )
      }
    >
      {link ? (
        <div className="grid gap-3 text-sm">
          {link.waits && <p>It works when a second admin has confirmed it under People.</p>}
          <OneTimeLink url={link.url} expiresAt={link.expiresAt} whom={person.displayName} />
        </div>
      ) : (
        <div className="grid gap-3 text-sm">
          <ActionProblemNote problem={problem} />
          <p>
            The link works once, for 24 hours. Using it ends all sessions of {person.displayName}; until then
            the present password keeps working.
          </p>
        </div>
      )}
    </Dialog>
  );
}

function DeactivateDialog({
  person,
  isSelf,
  deactivatePerson,
}: {
  person: PersonFacts;
  isSelf: boolean;
  deactivatePerson: PersonActions['deactivatePerson'];
}) {
  const openSessions = person.sessions.filter((session) => session.state === 'open').length;
  const liveTokens = person.apiTokens.filter((token) => token.state === 'live').length;

  if (isSelf) {
    return (
      <Button
        variant="danger-outline"
        icon={<UserX aria-hidden />}
        disabledReason="Another admin must deactivate you."
      >
        Deactivate
      </Button>
    );
  }
  return (
    <ConfirmAction
      trigger={
        <Button variant="danger-outline" icon={<UserX aria-hidden />}>
          Deactivate
        </Button>
      }
      title={`Deactivate ${person.displayName}?`}
      description="Takes effect at once. History keeps everything; roles do not come back by themselves."
      button="Deactivate"
      action={deactivatePerson}
      input={(reason) => ({ personId: person.personId, reason })}
      reason
    >
      <ul className="grid list-disc gap-1 pl-5 text-sm">
        <li>{plural(openSessions, 'open session ends', 'open sessions end')}</li>
        <li>{plural(liveTokens, 'API token ends', 'API tokens end')}</li>
        <li>
          {plural(person.grants.filter((grant) => grant.state !== 'ended').length, 'role ends', 'roles end')}
        </li>
        <li>
          {person.ownedAgents === 0
            ? 'No agent loses its owner'
            : `${plural(person.ownedAgents, 'agent gets', 'agents get')} no new credentials until somebody else owns ${person.ownedAgents === 1 ? 'it' : 'them'}`}
        </li>
      </ul>
    </ConfirmAction>
  );
}

function Reactivate({
  person,
  reactivatePerson,
}: {
  person: PersonFacts;
  reactivatePerson: PersonActions['reactivatePerson'];
}) {
  const { run, pending, problem } = useAction(reactivatePerson);
  return (
    <div className="grid gap-2">
      <Button pending={pending} onClick={() => run({ personId: person.personId })}>
        Reactivate
      </Button>
      <ActionProblemNote problem={problem} />
    </div>
  );
}

function plural(count: number, one: string, many: string): string {
  return count === 0
    ? `No ${one}`.replace(/ (ends|gets)$/, ' is affected')
    : `${count} ${count === 1 ? one : many}`;
}
