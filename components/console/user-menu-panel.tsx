'use client';

import { CircleUser, LogOut, MonitorSmartphone } from 'lucide-react';
import type { ReactElement } from 'react';
import { Menu, MenuLink, MenuSeparator } from '#components/ui/menu.tsx';
import type { Theme } from './theme.ts';
import { ThemeMenuGroup } from './theme-menu.tsx';
import type { Viewer } from './viewer.ts';

/** Who is signed in, the theme, own settings and the way out. Opens as soon as it is there. */
export function UserMenuPanel({
  viewer,
  theme,
  trigger,
}: {
  viewer: Viewer;
  theme: Theme;
  trigger: ReactElement;
}) {
  return (
    <Menu trigger={trigger} defaultOpen>
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
