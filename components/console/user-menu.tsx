'use client';

import { ChevronDown } from 'lucide-react';
import dynamic from 'next/dynamic';
import { useState } from 'react';
import { Avatar } from '#components/ui/avatar.tsx';
import { Button } from '#components/ui/button.tsx';
import type { Theme } from './theme.ts';
import type { Viewer } from './viewer.ts';

const loadPanel = () => import('./user-menu-panel.tsx').then((module) => module.UserMenuPanel);
const UserMenuPanel = dynamic(loadPanel, { ssr: false });

/** The account at the end of the header. Its menu is loaded when a hand comes near, and not before. */
export function UserMenu({ viewer, theme }: { viewer: Viewer; theme: Theme }) {
  const [loaded, setLoaded] = useState(false);
  const button = (
    <Button
      variant="ghost"
      aria-haspopup="menu"
      className="-mr-1.5 px-1.5"
      onPointerEnter={loaded ? undefined : loadPanel}
      onFocus={loaded ? undefined : loadPanel}
      onClick={loaded ? undefined : () => void loadPanel().then(() => setLoaded(true))}
    >
      <Avatar name={viewer.displayName} />
      <span className="sr-only">Account of </span>
      <span className="max-w-40 truncate max-sm:sr-only">{viewer.displayName}</span>
      <ChevronDown aria-hidden className="size-3.5! text-fg-3 max-sm:hidden" />
    </Button>
  );
  return loaded ? <UserMenuPanel viewer={viewer} theme={theme} trigger={button} /> : button;
}
