'use client';

import { Search } from 'lucide-react';
import dynamic from 'next/dynamic';
import { usePathname } from 'next/navigation';
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Viewer } from '#components/console/viewer.ts';
import { Kbd } from '#components/ui/kbd.tsx';
import { type PaletteMode, paletteEvent } from './open-palette.ts';
import { idOnPage, rememberRecent } from './recent.ts';

const PaletteDialog = dynamic(() => import('./palette-dialog.tsx').then((module) => module.PaletteDialog), {
  ssr: false,
});

/** The search of the header. Its panel is loaded when it is first opened, by button or by Cmd or Ctrl and K. */
export function Palette({ viewer }: { viewer: Viewer }) {
  const [mode, setMode] = useState<PaletteMode | null>(null);
  const [openings, setOpenings] = useState(0);
  const before = useRef<HTMLElement | null>(null);
  const pathname = usePathname();
  const isMac = useIsMac();

  useEffect(() => {
    const id = idOnPage(pathname);
    if (id) rememberRecent(window.localStorage, viewer.personId, id);
  }, [pathname, viewer.personId]);

  useEffect(() => {
    const open = (wanted: PaletteMode) => {
      // Another question is open; it wants its answer first.
      if (document.querySelector('[role="dialog"][data-open], [role="alertdialog"][data-open]')) return;
      before.current = document.activeElement as HTMLElement | null;
      setOpenings((count) => count + 1);
      setMode(wanted);
    };
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'k' || event.shiftKey || event.altKey) return;
      // On a Mac, Ctrl and K edits text.
      if (isMac ? !event.metaKey || event.ctrlKey : !event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      open('find');
    };
    const onAsked = (event: Event) => open((event as CustomEvent<PaletteMode>).detail);
    window.addEventListener('keydown', onKeyDown);
    window.addEventListener(paletteEvent, onAsked);
    return () => {
      window.removeEventListener('keydown', onKeyDown);
      window.removeEventListener(paletteEvent, onAsked);
    };
  }, [isMac]);

  return (
    <>
      <button
        type="button"
        aria-haspopup="dialog"
        aria-keyshortcuts={isMac ? 'Meta+K' : 'Control+K'}
        onClick={(event) => {
          before.current = event.currentTarget;
          setOpenings((count) => count + 1);
          setMode('find');
        }}
        className="inline-flex h-8 min-w-8 items-center justify-center gap-2 rounded-md px-2 text-fg-2 text-sm hover:bg-hover hover:text-fg pointer-coarse:min-h-11 pointer-coarse:min-w-11 sm:border sm:border-line-control sm:bg-surface sm:pr-1.5"
      >
        <Search aria-hidden className="size-4" />
        <span className="max-sm:sr-only">Search</span>
        <span aria-hidden className="flex gap-0.5 pl-4 max-md:hidden">
          <Kbd>{isMac ? '⌘' : 'Ctrl'}</Kbd>
          <Kbd>K</Kbd>
        </span>
      </button>
      {openings > 0 && (
        <PaletteDialog
          key={openings}
          viewer={viewer}
          mode={mode ?? 'find'}
          open={mode !== null}
          onOpenChange={(open) => {
            if (!open) setMode(null);
          }}
          returnTo={before}
        />
      )}
    </>
  );
}

const never = () => () => {};

function useIsMac(): boolean {
  return useSyncExternalStore(
    never,
    () => /^(?:Mac|iPhone|iPad)/.test(navigator.platform),
    () => false,
  );
}
