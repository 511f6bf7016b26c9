import {
  Bot,
  CalendarClock,
  ClipboardCheck,
  FileInput,
  House,
  KeyRound,
  type LucideIcon,
  MonitorSmartphone,
  OctagonX,
  ScrollText,
  Server,
  Settings,
  ShieldHalf,
  Users,
} from 'lucide-react';
import type { Role, Viewer } from './viewer.ts';

export type NavItem = {
  label: string;
  href: string;
  icon: LucideIcon;
  roles: ReadonlyArray<Role>;
  badge?: (viewer: Viewer) => number | undefined;
  badgeLabel?: string;
};

const EVERYONE: ReadonlyArray<Role> = ['owner', 'approver', 'auditor', 'admin'];

/** Navigation by job, in the order people work. */
const groups: ReadonlyArray<{ label: string | null; items: ReadonlyArray<NavItem> }> = [
  {
    label: null,
    items: [
      { label: 'Home', href: '/', icon: House, roles: EVERYONE },
      {
        label: 'Requests',
        href: '/requests',
        icon: FileInput,
        roles: EVERYONE,
        badge: (viewer) => viewer.badges.requests,
        badgeLabel: 'need your answer',
      },
      {
        label: 'Review',
        href: '/review',
        icon: ClipboardCheck,
        roles: ['approver', 'admin'],
        badge: (viewer) => viewer.badges.review,
        badgeLabel: 'waiting for you',
      },
    ],
  },
  {
    label: 'Governed',
    items: [
      { label: 'Agents', href: '/agents', icon: Bot, roles: EVERYONE },
      { label: 'Expiry', href: '/expiry', icon: CalendarClock, roles: EVERYONE },
      { label: 'Clients', href: '/clients', icon: MonitorSmartphone, roles: EVERYONE },
      { label: 'Servers & tools', href: '/servers', icon: Server, roles: EVERYONE },
      { label: 'Guards', href: '/guards', icon: ShieldHalf, roles: ['auditor', 'admin', 'approver'] },
      { label: 'Signing keys', href: '/keys', icon: KeyRound, roles: ['auditor', 'admin'] },
    ],
  },
  {
    label: 'Record',
    items: [
      { label: 'Revocations', href: '/revocations', icon: OctagonX, roles: EVERYONE },
      { label: 'Audit', href: '/audit', icon: ScrollText, roles: EVERYONE },
      { label: 'People', href: '/people', icon: Users, roles: ['auditor', 'admin'] },
      { label: 'Settings', href: '/settings', icon: Settings, roles: EVERYONE },
    ],
  },
];

/** The navigation a person can use: items their roles cannot use are absent, and so are groups left empty. */
export function navigationFor(viewer: Viewer) {
  return groups
    .map((group) => ({
      ...group,
      items: group.items.filter((item) => item.roles.some((role) => viewer.roles.includes(role))),
    }))
    .filter((group) => group.items.length > 0);
}

/** Whether `pathname` lies in the section that starts at `href`. */
export function isCurrentSection(pathname: string, href: string): boolean {
  return href === '/' ? pathname === '/' : pathname === href || pathname.startsWith(`${href}/`);
}
