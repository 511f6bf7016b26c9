import Link from 'next/link';
import type { ReactNode } from 'react';
import { NotificationBell } from '#components/notifications/notification-bell.tsx';
import { Palette } from '#components/palette/palette.tsx';
import { cn } from '#components/ui/cn.ts';
import { Wordmark } from './brand.tsx';
import { LiveIndicator } from './live-indicator.tsx';
import { MobileNav } from './mobile-nav.tsx';
import { PrintStamp } from './print-stamp.tsx';
import { SideNav } from './side-nav.tsx';
import type { Theme } from './theme.ts';
import { UserMenu } from './user-menu.tsx';
import type { Viewer } from './viewer.ts';

/** The frame of every signed-in page: navigation by job, environment, live indicator and account. */
export function Shell({ viewer, theme, children }: { viewer: Viewer; theme: Theme; children: ReactNode }) {
  return (
    <div className="min-h-dvh lg:grid lg:grid-cols-[13.5rem_minmax(0,1fr)] print:block">
      <a
        href="#main"
        className="sr-only z-60 rounded-md bg-ink px-3 py-2 text-on-ink focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to content
      </a>
      <div className="no-print hidden border-line border-r lg:block">
        <nav aria-label="Main" className="sticky top-0 flex h-dvh flex-col overflow-y-auto">
          <div className="flex h-(--header-height) shrink-0 items-center px-4">
            <Link href="/" className="-mx-1 rounded-sm px-1">
              <Wordmark />
            </Link>
          </div>
          <div className="px-2 pt-2 pb-6">
            <SideNav viewer={viewer} />
          </div>
        </nav>
      </div>
      <div className="flex min-w-0 flex-col">
        <header className="no-print sticky top-0 z-30 flex h-(--header-height) items-center gap-2 border-line border-b bg-canvas px-4 max-[22.5rem]:px-2 sm:px-6">
          <div className="flex items-center gap-2 lg:hidden">
            <MobileNav viewer={viewer} />
            <Link href="/" className="rounded-sm max-[26rem]:hidden">
              <Wordmark />
            </Link>
          </div>
          <EnvironmentBadge environment={viewer.environment} />
          <div className="ml-auto flex items-center gap-1 sm:gap-3">
            <Palette viewer={viewer} />
            <LiveIndicator />
            <NotificationBell />
            <UserMenu viewer={viewer} theme={theme} />
          </div>
        </header>
        <main id="main" tabIndex={-1} className="w-full max-w-384 flex-1 px-4 py-5 outline-none sm:px-6">
          {children}
          <PrintStamp />
        </main>
      </div>
    </div>
  );
}

/** Production is outlined in red so that nobody mistakes it for a rehearsal. */
export function EnvironmentBadge({ environment }: { environment: string | null }) {
  if (!environment) return null;
  const production = environment.toLowerCase().startsWith('prod');
  return (
    <span
      className={cn(
        'inline-flex h-5 max-w-32 items-center truncate rounded-sm border px-1.5 font-medium text-xs',
        production ? 'border-danger text-danger' : 'border-line-strong text-fg-2',
      )}
    >
      <span className="sr-only">Environment: </span>
      {environment}
    </span>
  );
}

/** The frame of pages shown to people who are not signed in, or who come from a client's browser hand-over. */
export function BareShell({
  children,
  width = 'narrow',
  footer,
}: {
  children: ReactNode;
  width?: 'narrow' | 'wide';
  footer?: ReactNode;
}) {
  return (
    <div className="flex min-h-dvh flex-col items-center px-4 py-8 sm:py-14">
      <header className="mb-6">
        <Wordmark />
      </header>
      <main
        id="main"
        tabIndex={-1}
        className={cn('w-full outline-none', width === 'narrow' ? 'max-w-100' : 'max-w-180')}
      >
        {children}
      </main>
      {footer && <footer className="mt-6 text-center text-fg-3 text-xs">{footer}</footer>}
    </div>
  );
}
