'use client';

import Link from 'next/link';
import { usePathname } from 'next/navigation';
import { CountBadge } from '#components/ui/badge.tsx';
import { cn } from '#components/ui/cn.ts';
import { isCurrentSection, navigationFor } from './navigation.ts';
import type { Viewer } from './viewer.ts';

/** The sections a person can use. The caller wraps it in a `nav`. */
export function SideNav({ viewer, onNavigate }: { viewer: Viewer; onNavigate?: () => void }) {
  const pathname = usePathname();
  return (
    <div className="grid gap-4">
      {navigationFor(viewer).map((group) => (
        <div key={group.label ?? 'first'}>
          {group.label && <div className="px-2 pb-1 font-medium text-2xs text-fg-3">{group.label}</div>}
          <ul className="grid gap-px">
            {group.items.map((item) => {
              const current = isCurrentSection(pathname, item.href);
              const Icon = item.icon;
              return (
                <li key={item.href}>
                  <Link
                    href={item.href}
                    aria-current={current ? (pathname === item.href ? 'page' : 'true') : undefined}
                    onClick={onNavigate}
                    className={cn(
                      'flex h-7.5 items-center gap-2.5 rounded-md px-2 text-sm transition-colors pointer-coarse:min-h-11',
                      current ? 'bg-pressed font-medium text-fg' : 'text-fg-2 hover:bg-hover hover:text-fg',
                    )}
                  >
                    <Icon
                      aria-hidden
                      strokeWidth={1.75}
                      className={cn('size-4 shrink-0', current ? 'text-fg' : 'text-fg-3')}
                    />
                    <span className="flex-1 truncate">{item.label}</span>
                    <CountBadge count={item.badge?.(viewer) ?? 0} label={item.badgeLabel} />
                  </Link>
                </li>
              );
            })}
          </ul>
        </div>
      ))}
    </div>
  );
}
