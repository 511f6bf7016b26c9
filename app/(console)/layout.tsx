import { cookies } from 'next/headers';
import type { ReactNode } from 'react';
import { DiskBanner } from '#components/console/disk-banner.tsx';
import { IssuanceBanner } from '#components/console/issuance-banner.tsx';
import { Shell } from '#components/console/shell.tsx';
import { StepUpProvider } from '#components/console/step-up.tsx';
import { parseTheme, THEME_COOKIE } from '#components/console/theme.ts';
import { hasRole } from '#lib/access/require.ts';
import { readBadges } from '#lib/approvals/read-requests.ts';
import { readDiskWarnings } from '#lib/jobs/disk-space.ts';
import { readIssuance } from '#lib/revocation/resume-issuance.ts';
import { beginConfirmation, confirm } from '../(access)/confirm.ts';
import { requireSignedIn } from '../page-context.ts';
import { resumeIssuance } from './actions.ts';

/** The frame around every page for people who are signed in. Each page asks for its own roles. */
export default async function ConsoleLayout({ children }: { children: ReactNode }) {
  const [{ ctx, viewer }, requestCookies] = await Promise.all([requireSignedIn(), cookies()]);
  const hasAnyRole = ctx.actor.roles.length > 0;
  const [badges, issuance, disks] = await Promise.all([
    readBadges(ctx),
    hasAnyRole ? readIssuance(ctx) : null,
    hasRole(ctx.actor, 'admin', 'auditor') ? readDiskWarnings(ctx) : [],
  ]);
  return (
    <Shell viewer={{ ...viewer, badges }} theme={parseTheme(requestCookies.get(THEME_COOKIE)?.value)}>
      <IssuanceBanner
        stopped={issuance?.stoppedAt ? { at: issuance.stoppedAt, reason: issuance.reason } : null}
        resume={hasRole(ctx.actor, 'admin') ? resumeIssuance : null}
      />
      <DiskBanner warnings={disks} />
      <StepUpProvider actions={{ begin: beginConfirmation, confirm }}>{children}</StepUpProvider>
    </Shell>
  );
}
