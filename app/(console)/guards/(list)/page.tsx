import { GuardsView } from '#components/guards/guards-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { listCatalogue } from '#lib/catalogue/read-catalogue.ts';
import { listGuards } from '#lib/revocation/guards.ts';
import { currentGuardVersion, listUnguarded } from '#lib/revocation/read-guard.ts';
import { requirePage } from '../../../page-context.ts';
import { inviteGuard, revokeGuard } from '../actions.ts';

export const metadata = { title: 'Guards' };

export default async function GuardsPage({
  searchParams,
}: {
  searchParams: Promise<{ invite?: string | string[]; show?: string | string[] }>;
}) {
  const { ctx } = await requirePage('approver', 'auditor', 'admin');
  const [guards, unguarded, servers, { invite, show }] = await Promise.all([
    listGuards(ctx),
    listUnguarded(ctx),
    listCatalogue(ctx),
    searchParams,
  ]);
  return (
    <GuardsView
      initial={guards.map((guard) => ({
        ...guard,
        enrolledAt: guard.enrolledAt.toISOString(),
        lastSeenAt: guard.lastSeenAt?.toISOString() ?? null,
        revokedAt: guard.revokedAt?.toISOString() ?? null,
      }))}
      servers={servers.map(({ id, name, resource, upstreamUrl }) => ({ id, name, resource, upstreamUrl }))}
      unguarded={unguarded}
      currentVersion={currentGuardVersion}
      open={servers
        .filter((server) => server.probe.outcome === 'answers')
        .map(({ id, name }) => ({ id, name }))}
      mayAdmin={hasRole(ctx.actor, 'admin')}
      show={show === 'silent' || show === 'revoked' ? show : 'all'}
      inviteFor={typeof invite === 'string' ? invite : null}
      actions={{ invite: inviteGuard, revoke: revokeGuard }}
    />
  );
}
