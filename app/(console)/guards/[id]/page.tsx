import { GuardView } from '#components/guards/guard-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { currentGuardVersion, getGuard } from '#lib/revocation/read-guard.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requirePage } from '../../../page-context.ts';
import { probeServer } from '../../servers/actions.ts';
import { revokeGuard } from '../actions.ts';

export const metadata = { title: 'Guard' };

export default async function GuardPage({ params }: { params: Promise<{ id: string }> }) {
  const { ctx } = await requirePage('approver', 'auditor', 'admin');
  const { id } = await params;
  const guard = await notFoundOr(() => getGuard(ctx, id));
  return (
    <GuardView
      guard={guard}
      currentVersion={currentGuardVersion}
      mayAdmin={hasRole(ctx.actor, 'admin')}
      actions={{ revoke: revokeGuard, probe: probeServer }}
      key={guard.id}
    />
  );
}
