'use client';

import { Menu as MenuIcon } from 'lucide-react';
import dynamic from 'next/dynamic';
import { useState } from 'react';
import { IconButton } from '#components/ui/button.tsx';
import type { Viewer } from './viewer.ts';

const NavDrawer = dynamic(() => import('./nav-drawer.tsx').then((module) => module.NavDrawer), {
  ssr: false,
});

/** The button for the navigation on narrow screens; wide ones never load the panel. */
export function MobileNav({ viewer }: { viewer: Viewer }) {
  const [open, setOpen] = useState(false);
  const [wanted, setWanted] = useState(false);
  return (
    <>
      <IconButton
        label="Open navigation"
        tooltip={false}
        aria-haspopup="dialog"
        aria-expanded={open}
        className="-ml-1.5"
        onClick={() => {
          setWanted(true);
          setOpen(true);
        }}
      >
        <MenuIcon aria-hidden />
      </IconButton>
      {wanted && <NavDrawer viewer={viewer} open={open} onOpenChange={setOpen} />}
    </>
  );
}
