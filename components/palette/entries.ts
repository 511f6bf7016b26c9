import type { LucideIcon } from 'lucide-react';
import { Bot, FileInput, MonitorSmartphone, Plus, ScrollText, Server, UserRound, Wrench } from 'lucide-react';
import { navigationFor } from '#components/console/navigation.ts';
import type { Role, Viewer } from '#components/console/viewer.ts';
import type { Found, FoundKind } from '#lib/search/search.ts';
import type { PageAction } from './page-actions.ts';

/** A line of the palette. Either an address to go to, or what a button of the page would open. */
export type Entry = {
  key: string;
  label: string;
  detail?: string;
  state?: string | null;
  icon?: LucideIcon;
  /** Written by somebody else. */
  untrusted?: boolean;
  href?: string;
  run?: () => void;
};
export type EntryGroup = { title: string; entries: Entry[] };

const kinds: Record<FoundKind, { title: string; icon: LucideIcon }> = {
  agent: { title: 'Agents', icon: Bot },
  client: { title: 'Clients', icon: MonitorSmartphone },
  request: { title: 'Requests', icon: FileInput },
  server: { title: 'Servers', icon: Server },
  tool: { title: 'Tools', icon: Wrench },
  person: { title: 'People', icon: UserRound },
  event: { title: 'Events', icon: ScrollText },
};

export function foundHref(found: Found, roles: readonly Role[]): string {
  const id = encodeURIComponent(found.id);
  switch (found.kind) {
    case 'request':
      return found.state === 'submitted' && roles.includes('approver') ? `/review/${id}` : `/requests/${id}`;
    case 'tool':
      return `/servers/${found.parentId ?? ''}?tool=${id}`;
    case 'person':
      return `/people/${id}`;
    case 'event':
      return `/audit/${id}`;
    default:
      return `/${found.kind}s/${id}`;
  }
}

/** The page of an agent with the question whether to stop it opened. */
export const stopHref = (agentId: string) => `/agents/${encodeURIComponent(agentId)}?stop=suspend`;

export function toEntry(found: Found, roles: readonly Role[], stopping: boolean): Entry {
  return {
    key: `${found.kind} ${found.id}`,
    label: found.label || found.id,
    detail: found.kind === 'client' && !found.label ? '' : found.detail,
    state: found.state,
    icon: kinds[found.kind].icon,
    untrusted: true,
    href: stopping ? stopHref(found.id) : foundHref(found, roles),
  };
}

export function groupFound(items: readonly Found[], roles: readonly Role[], stopping: boolean): EntryGroup[] {
  return (Object.keys(kinds) as FoundKind[]).flatMap((kind) => {
    const entries = items.filter((item) => item.kind === kind).map((item) => toEntry(item, roles, stopping));
    return entries.length > 0 ? [{ title: kinds[kind].title, entries }] : [];
  });
}

/** Each word of the text begins a word of the label. */
export function isNamed(label: string, text: string): boolean {
  const words = label.toLowerCase().split(/[^\p{L}\p{N}]+/u);
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .every((part) => words.some((word) => word.startsWith(part)));
}

export function actionEntries(actions: readonly PageAction[]): Entry[] {
  return actions.map((action) => ({ key: `action ${action.label}`, ...action }));
}

/** Where the person may go, in the order of the navigation, and what they may begin. */
export function navigationEntries(viewer: Viewer): Entry[] {
  const places = navigationFor(viewer).flatMap(({ items }) =>
    items.filter(({ href }) => href !== '/settings').map(({ label, href, icon }) => ({ label, href, icon })),
  );
  const more: { label: string; href: string; icon?: LucideIcon; roles?: readonly Role[] }[] = [
    { label: 'Notifications', href: '/notifications' },
    { label: 'Tool sets', href: '/tool-sets' },
    { label: 'Groups', href: '/people/groups', roles: ['admin', 'auditor'] },
    { label: 'Messages and webhooks', href: '/notifications/messages', roles: ['admin', 'auditor'] },
    { label: 'Request an agent', href: '/requests/new', icon: Plus, roles: ['owner'] },
    { label: 'Add a server', href: '/servers/new', icon: Plus, roles: ['admin'] },
  ];
  const open = more.filter(({ roles }) => !roles || roles.some((role) => viewer.roles.includes(role)));
  return [...places, ...open].map(({ label, href, icon }) => ({
    key: `go ${href}`,
    label,
    href,
    ...(icon ? { icon } : {}),
  }));
}

export const settingsEntries: readonly Entry[] = [
  { key: 'go /settings/profile', label: 'Profile and theme', href: '/settings/profile' },
  { key: 'go /settings/sessions', label: 'Sessions', href: '/settings/sessions' },
  { key: 'go /settings/tokens', label: 'API tokens', href: '/settings/tokens' },
  { key: 'go /sign-out', label: 'Sign out', href: '/sign-out' },
];

/** What the palette shows: the page's own actions, then things, then places, then settings. */
export function arrange(input: {
  text: string;
  actions: readonly PageAction[];
  found: readonly Found[];
  viewer: Viewer;
  stopping: boolean;
}): EntryGroup[] {
  const { text, viewer, stopping } = input;
  const matching = (entries: readonly Entry[]) => entries.filter(({ label }) => isNamed(label, text));
  const things = groupFound(input.found, viewer.roles, stopping);
  if (stopping) return things;
  const groups: EntryGroup[] = [
    { title: 'On this page', entries: matching(actionEntries(input.actions)) },
    ...(text === '' ? [{ title: 'Seen last', entries: things.flatMap(({ entries }) => entries) }] : things),
    { title: 'Go to', entries: matching(navigationEntries(viewer)) },
    { title: 'Settings', entries: matching(settingsEntries) },
  ];
  return groups.filter(({ entries }) => entries.length > 0);
}
