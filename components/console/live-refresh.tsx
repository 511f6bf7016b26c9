'use client';

import { useLive } from './live.ts';

/** Renders the server's page again when one of the topics changes; for pages without queries of their own. */
export function LiveRefresh({ topics, id }: { topics: ReadonlyArray<string>; id?: string }) {
  useLive(topics, { id, refresh: true });
  return null;
}
