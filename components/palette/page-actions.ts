'use client';

import type { LucideIcon } from 'lucide-react';
import { useEffect, useRef, useSyncExternalStore } from 'react';

/** What can be done with the thing on the page. `run` opens what its button opens: nothing is done by choosing it. */
export type PageAction = { label: string; icon?: LucideIcon; href?: string; run?: () => void };

let current: readonly PageAction[] = [];
const observers = new Set<() => void>();

function publish(actions: readonly PageAction[]): void {
  current = actions;
  for (const notify of observers) notify();
}

/** Offers the page's own actions in the command palette, first of all, for as long as the page is open. */
export function usePageActions(actions: readonly (PageAction | false | null | undefined)[]): void {
  const latest = useRef<readonly PageAction[]>([]);
  useEffect(() => {
    latest.current = actions.filter((action) => Boolean(action)) as PageAction[];
    publish(latest.current);
  });
  useEffect(
    () => () => {
      // The next page may have offered its own already.
      if (current === latest.current) publish([]);
    },
    [],
  );
}

const nothing: readonly PageAction[] = [];

export function usePaletteActions(): readonly PageAction[] {
  return useSyncExternalStore(
    (observer) => {
      observers.add(observer);
      return () => observers.delete(observer);
    },
    () => current,
    () => nothing,
  );
}
