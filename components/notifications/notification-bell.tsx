'use client';

import { useQuery } from '@tanstack/react-query';
import { Bell } from 'lucide-react';
import Link from 'next/link';
import { getJson } from '#components/console/fetch-json.ts';
import { useLive } from '#components/console/live.ts';
import { CountBadge } from '#components/ui/badge.tsx';

/** How many notifications are unread, kept true by the live stream. */
export function NotificationBell() {
  useLive(['notifications']);
  const { data: unread = 0 } = useQuery({
    queryKey: ['notifications', 'unread'],
    queryFn: async ({ signal }) =>
      (await getJson<{ unread: number }>('/api/v1/notifications?unread=true&limit=1', signal)).unread,
  });
  return (
    <Link
      href="/notifications"
      className="inline-flex h-8 min-w-8 items-center justify-center gap-1 rounded-md px-1.5 text-fg-2 hover:bg-hover hover:text-fg pointer-coarse:min-h-11 pointer-coarse:min-w-11"
    >
      <Bell aria-hidden className="size-4" />
      <span className="sr-only">Notifications{unread > 0 ? ': ' : ''}</span>
      <CountBadge count={unread} label="unread" />
    </Link>
  );
}
