'use client';

import { Drawer } from '#components/ui/drawer.tsx';
import { Wordmark } from './brand.tsx';
import { SideNav } from './side-nav.tsx';
import type { Viewer } from './viewer.ts';

/** The navigation as a panel, for narrow screens. */
export function NavDrawer({
  viewer,
  open,
  onOpenChange,
}: {
  viewer: Viewer;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  return (
    <Drawer
      side="left"
      title={<Wordmark />}
      open={open}
      onOpenChange={onOpenChange}
      className="max-w-[min(17rem,calc(100vw-3rem))]"
    >
      <nav aria-label="Main" className="pt-2">
        <SideNav viewer={viewer} onNavigate={() => onOpenChange(false)} />
      </nav>
    </Drawer>
  );
}
