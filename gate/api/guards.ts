import { z } from 'zod';
import { inviteGuardInput, listGuards } from '#lib/revocation/guards.ts';
import { getGuard } from '#lib/revocation/read-guard.ts';
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

const instant = z.string().nullable();
const guardDetail = z
  .object({
    id: z.string(),
    name: z.string(),
    state: z.string(),
    version: z.string(),
    thumbprint: z.string(),
    enrolledAt: z.string(),
    enrolledBy: z.string().nullable(),
    lastSeenAt: instant,
    revokedAt: instant,
    servers: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        resource: z.string(),
        state: z.string(),
        acknowledged: z.int(),
        head: z.int(),
        /** What an anonymous caller got at the server's own address: answers, refuses, unreachable or unknown. */
        probe: z.object({
          outcome: z.string().nullable(),
          detail: z.string(),
          probedAt: instant,
          since: instant,
        }),
        /** False: its guard hosts it, so there is nothing to ask past the guard. */
        hasUpstream: z.boolean(),
        tools: z.array(
          z.object({
            toolId: z.string(),
            name: z.string(),
            class: z.string(),
            risk: z.string(),
            confirmed: z.boolean(),
          }),
        ),
      }),
    ),
    reports: z.object({
      lastNumber: z.int(),
      /** Breaks of its chain of reports in the last thirty days. */
      gaps: z.int(),
      lastGap: z
        .object({
          at: z.string(),
          eventId: z.string(),
          after: z.number(),
          next: z.number(),
          chainHolds: z.boolean(),
        })
        .nullable(),
      lastCall: instant,
    }),
    conditions: z.array(
      z.object({
        eventId: z.string(),
        at: z.string(),
        condition: z.string(),
        serverId: z.string().nullable(),
        detail: z.string(),
      }),
    ),
    /** Stops it has not acknowledged. */
    openStops: z.int(),
  })
  .meta({ id: 'GuardDetail' });

const byId = z.strictObject({ id: z.string().max(100) });

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
    method: 'get',
    path: '/guards/{id}',
    operationId: 'getGuard',
    summary: 'Read one guard: what it covers, how it stands, and whether its servers can be reached past it',
    tag: 'Guards',
    params: byId,
    response: guardDetail,
    handle: async (ctx, { params }) => JSON.parse(JSON.stringify(await getGuard(ctx, params.id))),
  }),
  defineRoute({
    method: 'post',
    path: '/guards/{id}/revoke',
    operationId: 'revokeGuard',
    summary: 'Revoke a guard for good',
    tag: 'Guards',
    params: byId,
    body: z.strictObject({ reason: z.string().trim().max(500).default('') }),
    response: z.object({ id: z.string() }).meta({ id: 'RevokedGuard' }),
    handle: async (ctx, { params, body }) => {
      await verbs['revocation.revokeGuard'].run(ctx, { guardId: params.id, reason: body.reason });
      return { id: params.id };
    },
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
