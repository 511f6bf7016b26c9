import { z } from 'zod';
import { inviteGuardInput, listGuards } from '#lib/revocation/guards.ts';
import { verbs } from '../verbs.ts';
import { defineRoute } from './route.ts';

const guard = z
  .object({
    id: z.string(),
    name: z.string(),
    state: z.string(),
    version: z.string(),
    thumbprint: z.string(),
    enrolledAt: z.string(),
    lastSeenAt: z.string().nullable(),
    revokedAt: z.string().nullable(),
    /** Per server: the last feed entry it acknowledged and the newest there is. */
    servers: z.array(z.object({ id: z.string(), name: z.string(), acknowledged: z.int(), head: z.int() })),
    lastReportNumber: z.int(),
  })
  .meta({ id: 'Guard' });

export const guardRoutes = [
  defineRoute({
    method: 'get',
    path: '/guards',
    operationId: 'listGuards',
    summary: 'List guards and how far behind each is',
    tag: 'Guards',
    response: z.object({ items: z.array(guard) }),
    handle: async (ctx) => ({
      items: (await listGuards(ctx)).map((row) => ({
        ...row,
        enrolledAt: row.enrolledAt.toISOString(),
        lastSeenAt: row.lastSeenAt?.toISOString() ?? null,
        revokedAt: row.revokedAt?.toISOString() ?? null,
      })),
    }),
  }),
  defineRoute({
    method: 'post',
    path: '/guards',
    operationId: 'inviteGuard',
    summary: 'Make a one-time join token for a guard',
    tag: 'Guards',
    body: inviteGuardInput,
    response: z.object({ joinToken: z.string(), expiresAt: z.string() }).meta({ id: 'JoinToken' }),
    status: 201,
    handle: (ctx, { body }) => verbs['revocation.inviteGuard'].run(ctx, body),
  }),
];
