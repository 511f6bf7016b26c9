'use client';

import { Tabs as BaseTabs } from '@base-ui/react/tabs';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { CountBadge } from './badge.tsx';
import { cn } from './cn.ts';

const listClass = 'no-print flex gap-1 overflow-x-auto border-line border-b [scrollbar-width:none]';
const tabClass = cn(
  'relative -mb-px inline-flex h-9 shrink-0 items-center gap-1.5 whitespace-nowrap border-transparent border-b-2 px-2.5 text-fg-2 text-sm transition-colors hover:text-fg focus-visible:-outline-offset-2 pointer-coarse:min-h-11',
);
const activeTabClass = 'border-ink font-medium text-fg';

export type TabItem = { value: string; label: string; count?: number; content: ReactNode };

/** Views of one object that need no address of their own. */
export function Tabs({
  label,
  tabs,
  value,
  defaultValue,
  onValueChange,
}: {
  label: string;
  tabs: ReadonlyArray<TabItem>;
  value?: string;
  defaultValue?: string;
  onValueChange?: (value: string) => void;
}) {
  return (
    <BaseTabs.Root
      value={value}
      defaultValue={defaultValue ?? tabs[0]?.value}
      onValueChange={(next) => onValueChange?.(String(next))}
    >
      <BaseTabs.List aria-label={label} className={listClass}>
        {tabs.map((tab) => (
          <BaseTabs.Tab
            key={tab.value}
            value={tab.value}
            className={(state) => cn(tabClass, state.active && activeTabClass)}
          >
            {tab.label}
            <CountBadge count={tab.count ?? 0} />
          </BaseTabs.Tab>
        ))}
      </BaseTabs.List>
      {tabs.map((tab) => (
        <BaseTabs.Panel key={tab.value} value={tab.value} className="pt-4 outline-none">
          {tab.content}
        </BaseTabs.Panel>
      ))}
    </BaseTabs.Root>
  );
}

/** Tabs that are pages or filters of their own: each has an address. */
export function LinkTabs({
  label,
  tabs,
  current,
}: {
  label: string;
  tabs: ReadonlyArray<{ href: string; label: string; count?: number; value: string }>;
  current: string;
}) {
  return (
    <nav aria-label={label} className={listClass}>
      {tabs.map((tab) => (
        <Link
          key={tab.value}
          href={tab.href}
          aria-current={tab.value === current ? 'page' : undefined}
          className={cn(tabClass, tab.value === current && activeTabClass)}
        >
          {tab.label}
          <CountBadge count={tab.count ?? 0} />
        </Link>
      ))}
    </nav>
  );
}
