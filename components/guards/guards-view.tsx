'use client';

import { useQuery } from '@tanstack/react-query';
import { Ban, Ellipsis, Plus, ScrollText, ShieldHalf } from 'lucide-react';
import { useRouter } from 'next/navigation';
import { useState } from 'react';
import type { Action } from '#components/console/action.ts';
import { useNowEvery } from '#components/console/clock.ts';
import { ConfirmAction } from '#components/console/confirm-action.tsx';
import { type DataColumn, DataTable } from '#components/console/data-table.tsx';
import { useLive } from '#components/console/live.ts';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { EmptyByFilter, EmptyState } from '#components/console/states.tsx';
import { Badge } from '#components/ui/badge.tsx';
import { Button, IconButton } from '#components/ui/button.tsx';
import { Callout } from '#components/ui/callout.tsx';
import { LinkButton, TextLink } from '#components/ui/link-button.tsx';
import { Menu, MenuItem, MenuLink } from '#components/ui/menu.tsx';
import { LinkTabs } from '#components/ui/tabs.tsx';
import { notify } from '#components/ui/toast.tsx';
import type { UnguardedServer } from '#lib/revocation/read-guard.ts';
import { InviteGuard, type InviteGuardAction } from './invite-guard.tsx';
import { guardsQuery } from './queries.ts';
import { type GuardRow, guardStanding, type InvitableServer, lagOf } from './types.ts';
import { versionStanding } from './version.ts';

export type GuardFilter = 'all' | 'silent' | 'revoked';

/** Every guard: whether it is heard from, how far behind it is, and what it stands in front of. */
export function GuardsView({
  initial,
  servers,
  unguarded,
  open,
  currentVersion,
  mayAdmin,
  show,
  inviteFor,
  actions,
}: {
  initial: GuardRow[];
  servers: InvitableServer[];
  unguarded: UnguardedServer[];
  /** Servers that answer an anonymous caller past their guard. */
  open: { id: string; name: string }[];
  currentVersion: string;
  mayAdmin: boolean;
  show: GuardFilter;
  inviteFor: string | null;
  actions: { invite: InviteGuardAction; revoke: Action<{ guardId: string; reason?: string }, void> };
}) {
  const router = useRouter();
  useLive(['guards']);
  useLive(['servers'], { refresh: true });
  const nowMs = useNowEvery(5) * 1000;
  const { data, isError } = useQuery(guardsQuery(initial));
  const [inviting, setInviting] = useState(mayAdmin && inviteFor !== null);
  const [revoking, setRevoking] = useState<GuardRow | null>(null);
  const standing = (guard: GuardRow) => guardStanding(guard, nowMs);
  const silent = data.filter((guard) => standing(guard) === 'unreachable');
  const rows =
    show === 'silent' ? silent : data.filter((guard) => (guard.state === 'revoked') === (show === 'revoked'));
  const revokedCount = data.filter((guard) => guard.state === 'revoked').length;

  const columns: DataColumn<GuardRow>[] = [
    {
      id: 'name',
      header: 'Guard',
      cell: (guard) => guard.name,
      sortValue: (guard) => guard.name.toLowerCase(),
    },
    {
      id: 'state',
      header: 'State',
      cell: (guard) => <StatePill state={standing(guard)} plain />,
      sortValue: (guard) => standing(guard),
      width: '8.5rem',
    },
    {
      id: 'servers',
      header: 'In front of',
      cell: (guard) => (
        <span className="flex max-w-80 flex-wrap gap-x-2.5">
          {guard.servers.map((server) => (
            <TextLink
              key={server.id}
              href={`/servers/${server.id}`}
              className="inline-block min-h-6 whitespace-nowrap leading-6"
            >
              {server.name}
            </TextLink>
          ))}
        </span>
      ),
      width: '18rem',
    },
    {
      id: 'lag',
      header: 'Behind by',
      cell: (guard) => <Lag guard={guard} />,
      sortValue: lagOf,
      align: 'end',
      width: '7.5rem',
    },
    {
      id: 'seen',
      header: 'Last seen',
      cell: (guard) => (guard.lastSeenAt ? <RelativeTime at={guard.lastSeenAt} /> : 'never'),
      sortValue: (guard) => guard.lastSeenAt ?? '',
      width: '8rem',
    },
    {
      id: 'version',
      header: 'Version',
      cell: (guard) => <Version guard={guard} current={currentVersion} />,
      width: '7.5rem',
      hideBelow: 'lg',
    },
    {
      id: 'reports',
      header: 'Reports',
      cell: (guard) => guard.lastReportNumber.toLocaleString('en'),
      sortValue: (guard) => guard.lastReportNumber,
      align: 'end',
      width: '6.5rem',
      hideBelow: 'lg',
    },
    {
      id: 'actions',
      header: 'Actions',
      hideHeader: true,
      width: '3.5rem',
      align: 'end',
      cell: (guard) => (
        <span className="relative z-1">
          <Menu
            trigger={
              <IconButton label={`Actions for ${guard.name}`} size="sm" tooltip={false}>
                <Ellipsis aria-hidden />
              </IconButton>
            }
          >
            <MenuLink href={`/audit?actor=${guard.id}`} icon={<ScrollText aria-hidden />}>
              Its history
            </MenuLink>
            {mayAdmin && guard.state === 'enrolled' && (
              <MenuItem danger icon={<Ban aria-hidden />} onClick={() => setRevoking(guard)}>
                Revoke…
              </MenuItem>
            )}
          </Menu>
        </span>
      ),
    },
  ];
  const inviteButton = mayAdmin ? (
    <Button
      variant="primary"
      icon={<Plus aria-hidden />}
      disabledReason={servers.length === 0 ? 'Add a server first: a guard stands in front of one.' : null}
      onClick={() => setInviting(true)}
    >
      Add guard
    </Button>
  ) : null;
  return (
    <div className="grid gap-4">
      <PageHeader
        title="Guards"
        description="Each call passes a guard. Without word from here for five seconds it refuses everything, so a guard that is cut off lets nobody in."
        actions={inviteButton}
      />
      {isError && (
        <Callout tone="warning" title="This list may be out of date">
          The server could not be asked again. What you see is the last answer.
        </Callout>
      )}
      {open.length > 0 && (
        <Callout
          tone="danger"
          title={
            open.length === 1
              ? 'A server answers without its guard'
              : `${open.length} servers answer without their guard`
          }
        >
          <ServerLinks servers={open} />: whoever reaches {open.length === 1 ? 'its' : 'their'} own address
          needs no approval.
        </Callout>
      )}
      <Unguarded servers={unguarded} mayAdmin={mayAdmin} />
      {silent.length > 0 && show !== 'silent' && (
        <Callout
          tone="warning"
          title={`${silent.map((guard) => guard.name).join(', ')} ${silent.length === 1 ? 'is' : 'are'} not heard from`}
        >
          Every call through {silent.length === 1 ? 'it' : 'them'} is refused until{' '}
          {silent.length === 1 ? 'it' : 'they'} can reach Countersign again.
        </Callout>
      )}
      {data.length === 0 ? (
        <EmptyState icon={ShieldHalf} title="No guard yet" actions={inviteButton}>
          A guard stands in front of one or more MCP servers and lets only approved calls through.
        </EmptyState>
      ) : (
        <>
          <LinkTabs
            label="Show"
            current={show}
            tabs={[
              { value: 'all', label: 'Enrolled', href: '/guards' },
              { value: 'silent', label: 'Silent', href: '/guards?show=silent', count: silent.length },
              { value: 'revoked', label: 'Revoked', href: '/guards?show=revoked', count: revokedCount },
            ]}
          />
          <DataTable
            label="Guards"
            rows={rows}
            columns={columns}
            rowKey={(guard) => guard.id}
            rowHref={(guard) => `/guards/${guard.id}`}
            empty={
              show === 'silent' ? (
                <EmptyState icon={ShieldHalf} title="Every guard is heard from">
                  Nothing is cut off at this moment.
                </EmptyState>
              ) : (
                <EmptyByFilter noun="guards" clearHref="/guards" />
              )
            }
          />
        </>
      )}
      {inviting && (
        <InviteGuard
          servers={servers}
          preselected={inviteFor}
          taken={data.filter((guard) => guard.state === 'enrolled').map((guard) => guard.name)}
          invite={actions.invite}
          onClose={() => {
            setInviting(false);
            if (inviteFor) router.replace('/guards');
          }}
        />
      )}
      {revoking && <RevokeGuard guard={revoking} revoke={actions.revoke} onClose={() => setRevoking(null)} />}
    </div>
  );
}

/** Servers nobody stands in front of: those agents hold tools of first, since a call to them passes no guard. */
function Unguarded({ servers, mayAdmin }: { servers: UnguardedServer[]; mayAdmin: boolean }) {
  const bare = servers.filter((server) => !server.asksItself);
  const held = bare.filter((server) => server.agents > 0);
  if (bare.length === 0) return null;
  return (
    <Callout
      tone={held.length > 0 ? 'danger' : 'warning'}
      title={
        bare.length === 1
          ? 'No guard stands in front of one server'
          : `No guard stands in front of ${bare.length} servers`
      }
      actions={
        mayAdmin && bare[0] ? (
          <LinkButton size="sm" href={`/guards?invite=${bare[0].id}`}>
            Add guard
          </LinkButton>
        ) : undefined
      }
    >
      <ServerLinks servers={bare} />.{' '}
      {held.length > 0
        ? 'Agents hold tools there: nothing checks their calls unless the server does so itself.'
        : 'No agent holds a tool there yet.'}
    </Callout>
  );
}

function ServerLinks({ servers }: { servers: { id: string; name: string }[] }) {
  return servers.slice(0, 10).map((server, index) => (
    <span key={server.id}>
      {index > 0 && ', '}
      <TextLink href={`/servers/${server.id}`}>{server.name}</TextLink>
    </span>
  ));
}

function Version({ guard, current }: { guard: GuardRow; current: string }) {
  const standing = guard.state === 'revoked' ? 'current' : versionStanding(guard.version, current);
  if (standing === 'current') return guard.version;
  return (
    <Badge tone={standing === 'unknown' ? 'danger' : 'warning'} plain>
      {guard.version || 'none'} <span className="font-normal">{standing}</span>
    </Badge>
  );
}

function Lag({ guard }: { guard: GuardRow }) {
  if (guard.state === 'revoked') return <span className="text-fg-3">–</span>;
  const lag = lagOf(guard);
  if (lag === 0) return <span className="text-fg-3">nothing</span>;
  const detail = guard.servers
    .filter((server) => server.head > server.acknowledged)
    .map((server) => `${server.name}: ${server.acknowledged} of ${server.head}`)
    .join('; ');
  return (
    <Badge tone="warning" plain title={detail}>
      {lag} {lag === 1 ? 'entry' : 'entries'}
    </Badge>
  );
}

export function RevokeGuard({
  guard,
  revoke,
  onClose,
}: {
  guard: { id: string; name: string; servers: readonly { name: string }[] };
  revoke: Action<{ guardId: string; reason?: string }, void>;
  onClose: () => void;
}) {
  const names = new Intl.ListFormat('en').format(guard.servers.map((server) => server.name));
  return (
    <ConfirmAction
      onClose={onClose}
      title={`Revoke ${guard.name}?`}
      description={`It gets no more news, so within five seconds it refuses every call to ${names}. Its reports are no longer accepted. It can only come back as a new guard.`}
      button="Revoke guard"
      action={revoke}
      input={(reason) => ({ guardId: guard.id, reason })}
      reason={{ optional: true }}
      onDone={() => notify({ tone: 'success', title: `${guard.name} was revoked` })}
    />
  );
}
