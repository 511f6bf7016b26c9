import type { ReactNode } from 'react';
import { Wordmark } from '#components/console/brand.tsx';
import { TextLink } from '#components/ui/link-button.tsx';

/** The frame of pages a client's browser hand-over leads to: whose session this is, and nothing to wander off to. */
export function FlowShell({ displayName, children }: { displayName: string; children: ReactNode }) {
  return (
    <div className="mx-auto flex min-h-dvh w-full max-w-270 flex-col px-4 sm:px-6">
      <header className="flex h-(--header-height) shrink-0 items-center justify-between gap-4">
        <Wordmark />
        <p className="min-w-0 truncate text-fg-3 text-xs">
          {displayName} · <TextLink href="/sign-out">Not you?</TextLink>
        </p>
      </header>
      <main id="main" tabIndex={-1} className="w-full flex-1 py-4 outline-none sm:py-8">
        {children}
      </main>
    </div>
  );
}
