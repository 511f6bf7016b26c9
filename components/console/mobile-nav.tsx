'use client';

import { Menu as MenuIcon } from 'lucide-react';
import { useState } from 'react';
import { IconButton } from '#components/ui/button.tsx';
import { Drawer } from '#components/ui/drawer.tsx';
import { Wordmark } from './brand.tsx';
import { SideNav } from './side-nav.tsx';
import type { Viewer } from './viewer.ts';

/** The navigation on narrow screens. */
export function MobileNav({ viewer }: { viewer: Viewer }) {
  const [open, setOpen] = useState(false);
  return (
    <Drawer
      side="left"
      title={<Wordmark />}
      open={open}
      onOpenChange={setOpen}
      className="max-w-[min(17rem,calc(100vw-3rem))]"
      trigger={
        <IconButton label="Open navigation" tooltip={false} className="-ml-1.5">
          <MenuIcon aria-hidden />
        </IconButton>
      }
    >
      <nav aria-label="Main" className="pt-2">
        <SideNav viewer={viewer} onNavigate={() => setOpen(false)} />
      </nav>
    </Drawer>
  );
}
