import { cookies } from 'next/headers';
import type { ReactNode } from 'react';
import { Shell } from '#components/console/shell.tsx';
import { parseTheme, THEME_COOKIE } from '#components/console/theme.ts';
import { readBadges } from '#lib/approvals/read-requests.ts';
import { requireSignedIn } from '../page-context.ts';

/** The frame around every page for people who are signed in. Each page asks for its own roles. */
export default async function ConsoleLayout({ children }: { children: ReactNode }) {
  const [{ ctx, viewer }, requestCookies] = await Promise.all([requireSignedIn(), cookies()]);
  const badges = await readBadges(ctx);
  return (
    <Shell viewer={{ ...viewer, badges }} theme={parseTheme(requestCookies.get(THEME_COOKIE)?.value)}>
      {children}
    </Shell>
  );
}
