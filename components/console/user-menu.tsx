'use client';

import { ChevronDown, CircleUser, LogOut, MonitorSmartphone } from 'lucide-react';
import { Avatar } from '#components/ui/avatar.tsx';
import { Button } from '#components/ui/button.tsx';
import { Menu, MenuLink, MenuSeparator } from '#components/ui/menu.tsx';
import type { Theme } from './theme.ts';
import { ThemeMenuGroup } from './theme-menu.tsx';
import type { Viewer } from './viewer.ts';

/** Who is signed in, the theme, own settings and the way out. */
export function UserMenu({ viewer, theme }: { viewer: Viewer; theme: Theme }) {
  return (
    <Menu
      trigger={
        <Button variant="ghost" className="-mr-1.5 px-1.5">
          <Avatar name={viewer.displayName} />
          <span className="sr-only">Account of </span>
          <span className="max-w-40 truncate max-sm:sr-only">{viewer.displayName}</span>
          <ChevronDown aria-hidden className="size-3.5! text-fg-3 max-sm:hidden" />
        </Button>
      }
    >
      <div className="max-w-64 px-2 pt-1.5 pb-2">
        <div className="truncate font-medium text-sm">{viewer.displayName}</div>
        <div className="truncate text-fg-3 text-xs">{viewer.email}</div>
        <div className="text-fg-3 text-xs capitalize">
          {viewer.roles.length > 0 ? viewer.roles.join(', ') : 'No role yet'}
        </div>
      </div>
      <MenuSeparator />
      <MenuLink href="/settings/profile" icon={<CircleUser aria-hidden />}>
        Profile
      </MenuLink>
      <MenuLink href="/settings/sessions" icon={<MonitorSmartphone aria-hidden />}>
        Sessions
      </MenuLink>
      <MenuSeparator />
      <ThemeMenuGroup initial={theme} />
      <MenuSeparator />
      <MenuLink href="/sign-out" icon={<LogOut aria-hidden />}>
        Sign out
      </MenuLink>
    </Menu>
  );
}
