import type { ReactNode } from 'react';
import { FlowShell } from '#components/claim/flow-shell.tsx';
import { requireSignedIn } from '../page-context.ts';

/** Pages a client's browser hand-over leads to. Whoever is not signed in comes back to the same address afterwards. */
export default async function FlowLayout({ children }: { children: ReactNode }) {
  const { viewer } = await requireSignedIn();
  return <FlowShell displayName={viewer.displayName}>{children}</FlowShell>;
}
