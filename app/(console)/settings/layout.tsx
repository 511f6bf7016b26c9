import type { ReactNode } from 'react';
import { SettingsFrame } from '#components/settings/settings-frame.tsx';
import { hasRole } from '#lib/access/require.ts';
import { requireSignedIn } from '../../page-context.ts';

export default async function SettingsLayout({ children }: { children: ReactNode }) {
  const { ctx } = await requireSignedIn();
  return <SettingsFrame seesInstallation={hasRole(ctx.actor, 'admin', 'auditor')}>{children}</SettingsFrame>;
}
