import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { eventQuerySchema } from '#lib/audit/event-query.ts';
import { latestCheckpoint, proveConsistency, proveInclusion } from '#lib/audit/proofs.ts';
import { readEvent, readIntegrity } from '#lib/audit/read-event.ts';
import { eventScope, searchEvents, summariseEvents } from '#lib/audit/search-events.ts';
import { countUnread, listNotifications } from '#lib/jobs/notifications.ts';
import {
  editWebhookInput,
  listDeliveries,
  listWebhooks,
  readDelivery,
  replayDeliveriesInput,
} from '#lib/jobs/webhooks.ts';
import { pageOf, pageQuery } from '#lib/platform/cursor.ts';
import { Invalid, NotFound } from '#lib/platform/errors.ts';
import { queryText } from '#lib/platform/query-text.ts';
import { verbs } from '../verbs.ts';
import { defineRoute } from './route.ts';

const eventLine = z
  .object({
    id: z.string(),
    at: z.string(),
    kind: z.string(),
    outcome: z.enum(['done', 'refused']),
    actorKind: z.string(),
    actorId: z.string().nullable(),
    actorName: z.string(),
    subjectKind: z.string(),
    subjectId: z.string(),
    agentId: z.string().nullable(),
    agentName: z.string().nullable(),
    clientId: z.string().nullable(),
    serverId: z.string().nullable(),
    serverName: z.string().nullable(),
    tool: z.string().nullable(),
    requestRef: z.string().nullable(),
    reason: z.string(),
  })
  .meta({ id: 'Event' });

const linkedEvent = z.object({
  id: z.string(),
  at: z.string(),
  kind: z.string(),
  outcome: z.enum(['done', 'refused']),
  actorName: z.string(),
  subjectKind: z.string(),
  subjectId: z.string(),
});

const inclusion = z.union([
  z.object({ status: z.literal('waiting') }),
  z.object({ status: z.literal('included'), index: z.int(), size: z.int(), signedAt: z.string() }),
  z.object({ status: z.literal('broken'), index: z.int(), problem: z.string() }),
]);

const facetCounts = z.array(z.object({ value: z.string(), label: z.string(), count: z.int() }));

const treeSize = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);

export const auditRoutes = [
  defineRoute({
    method: 'get',
    path: '/audit/events',
    operationId: 'searchEvents',
    summary: 'Search history, newest first; cursors lead in both directions',
    tag: 'Audit',
    query: eventQuerySchema.extend(pageQuery),
    response: z.object({
      items: z.array(eventLine),
      /** Towards the past; null at the beginning of history. */
      nextCursor: z.string().nullable(),
      /** Towards the present; null on the newest page. */
      previousCursor: z.string().nullable(),
    }),
    handle: async (ctx, { query: { limit, cursor, ...query } }) => {
      const page = await searchEvents(ctx, query, { limit, cursor });
      return {
        items: page.items.map((item) => ({ ...item, at: item.at.toISOString() })),
        nextCursor: page.olderCursor,
        previousCursor: page.newerCursor,
      };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/audit/summary',
    operationId: 'summariseEvents',
    summary: 'Count a search: how many, by what, and when; exact up to 10,000',
    tag: 'Audit',
    query: eventQuerySchema,
    response: z
      .object({
        total: z.int(),
        more: z.boolean(),
        facets: z.object({
          kind: facetCounts,
          outcome: facetCounts,
          actor: facetCounts,
          agent: facetCounts,
          client: facetCounts,
          server: facetCounts,
          tool: facetCounts,
        }),
        histogram: z.object({ from: z.string(), to: z.string(), counts: z.array(z.int()) }).nullable(),
      })
      .meta({ id: 'EventSummary' }),
    handle: async (ctx, { query }) => {
      const { histogram, ...summary } = await summariseEvents(ctx, query);
      return {
        ...summary,
        histogram: histogram && {
          counts: histogram.counts,
          from: histogram.from.toISOString(),
          to: histogram.to.toISOString(),
        },
      };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/audit/events/{id}',
    operationId: 'readEvent',
    summary: 'Read one event with its place in the log, its causes and consequences',
    tag: 'Audit',
    params: z.object({ id: z.string().max(80) }),
    response: z.object({
      record: z.record(z.string(), z.unknown()),
      names: z.object({
        agent: z.string().nullable(),
        client: z.string().nullable(),
        server: z.string().nullable(),
        request: z.string().nullable(),
      }),
      inclusion,
      ancestors: z.array(linkedEvent),
      children: z.array(linkedEvent),
      withheld: z.array(z.string()),
    }),
    handle: async (ctx, { params }) => {
      const detail = await readEvent(ctx, params.id);
      return {
        ...detail,
        inclusion:
          detail.inclusion.status === 'included'
            ? { ...detail.inclusion, signedAt: detail.inclusion.signedAt.toISOString() }
            : detail.inclusion,
      };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/audit/checkpoints/latest',
    operationId: 'latestCheckpoint',
    summary: 'The newest signed head of the log, as a C2SP checkpoint',
    tag: 'Audit',
    response: z
      .object({ size: z.int(), root: z.string(), note: z.string(), signedAt: z.string() })
      .meta({ id: 'Checkpoint' }),
    handle: async (ctx) => {
      await eventScope(ctx);
      const head = await latestCheckpoint(ctx);
      if (!head) throw new NotFound('Nothing has been signed yet.');
      return { ...head, signedAt: head.signedAt.toISOString() };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/audit/integrity',
    operationId: 'readIntegrity',
    summary: 'What the last verification of the whole log found',
    tag: 'Audit',
    response: z.object({
      verification: z
        .object({
          outcome: z.enum(['intact', 'broken']),
          size: z.int(),
          finishedAt: z.string(),
          firstBadPosition: z.int().nullable(),
          problem: z.string(),
        })
        .nullable(),
      head: z.object({ size: z.int(), signedAt: z.string() }).nullable(),
    }),
    handle: async (ctx) => {
      const { verification, head } = await readIntegrity(ctx);
      return {
        verification: verification && { ...verification, finishedAt: verification.finishedAt.toISOString() },
        head: head && { ...head, signedAt: head.signedAt.toISOString() },
      };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/audit/proofs',
    operationId: 'proveHistory',
    summary:
      'Prove that an event is in the log (eventId, size), or that one size is a prefix of another (first, second)',
    tag: 'Audit',
    query: z.object({
      eventId: queryText.max(80).optional(),
      size: treeSize.optional(),
      first: treeSize.optional(),
      second: treeSize.optional(),
    }),
    response: z.union([
      z.object({
        eventId: z.string(),
        index: z.int(),
        size: z.int(),
        leafHash: z.string(),
        root: z.string(),
        proof: z.array(z.string()),
      }),
      z.object({
        first: z.int(),
        second: z.int(),
        firstRoot: z.string(),
        secondRoot: z.string(),
        proof: z.array(z.string()),
      }),
    ]),
    handle: async (ctx, { query }) => {
      if (query.eventId !== undefined && query.first === undefined && query.second === undefined) {
        // Whoever may not see the event is not told that it has a position.
        await readEvent(ctx, query.eventId);
        return proveInclusion(ctx, query.eventId, query.size);
      }
      if (query.eventId === undefined && query.first !== undefined && query.second !== undefined) {
        requireRole(ctx, 'auditor', 'approver', 'admin');
        return proveConsistency(ctx, query.first, query.second);
      }
      throw new Invalid('Ask with eventId (and size), or with first and second.', {
        issues: [{ path: 'eventId', message: 'give eventId, or first and second' }],
      });
    },
  }),
  defineRoute({
    method: 'get',
    path: '/notifications',
    operationId: 'listNotifications',
    summary: 'Your own notifications, newest first',
    tag: 'Notifications',
    query: z.object({ unread: z.enum(['true', 'false']).default('false'), ...pageQuery }),
    response: pageOf(
      z.object({
        id: z.string(),
        kind: z.string(),
        title: z.string(),
        body: z.string(),
        href: z.string(),
        createdAt: z.string(),
        readAt: z.string().nullable(),
      }),
    ).extend({ unread: z.int() }),
    handle: async (ctx, { query }) => {
      const [page, unread] = await Promise.all([
        listNotifications(ctx, { ...query, unread: query.unread === 'true' }),
        countUnread(ctx),
      ]);
      return {
        ...page,
        unread,
        items: page.items.map((item) => ({
          ...item,
          createdAt: item.createdAt.toISOString(),
          readAt: item.readAt?.toISOString() ?? null,
        })),
      };
    },
  }),
  defineRoute({
    method: 'get',
    path: '/webhooks',
    operationId: 'listWebhooks',
    summary: 'Webhooks, without their secrets; they are added in the console, where the secret is shown once',
    tag: 'Webhooks',
    response: z.object({
      items: z.array(
        z.object({
          id: z.string(),
          name: z.string(),
          url: z.string(),
          kinds: z.array(z.string()),
          createdAt: z.string(),
          endedAt: z.string().nullable(),
          pausedAt: z.string().nullable(),
          pauseCause: z.string().nullable(),
          /** Since when nothing has arrived there. */
          failingSince: z.string().nullable(),
          /** Until then calls carry the former signature too. */
          formerSecretEndsAt: z.string().nullable(),
        }),
      ),
    }),
    handle: async (ctx) => ({
      items: (await listWebhooks(ctx)).map((row) => ({
        ...row,
        createdAt: row.createdAt.toISOString(),
        endedAt: row.endedAt?.toISOString() ?? null,
        pausedAt: row.pausedAt?.toISOString() ?? null,
        failingSince: row.failingSince?.toISOString() ?? null,
        formerSecretEndsAt: row.formerSecretEndsAt?.toISOString() ?? null,
      })),
    }),
  }),
  defineRoute({
    method: 'patch',
    path: '/webhooks/{id}',
    operationId: 'editWebhook',
    summary: 'Change where a webhook goes, its name and which messages it gets',
    tag: 'Webhooks',
    params: z.object({ id: z.string().max(80) }),
    body: editWebhookInput.omit({ webhookId: true }),
    response: z.null(),
    status: 204,
    handle: async (ctx, { params, body }) => {
      await verbs['jobs.editWebhook'].run(ctx, { ...body, webhookId: params.id });
      return null;
    },
  }),
  defineRoute({
    method: 'post',
    path: '/webhooks/{id}/pause',
    operationId: 'pauseWebhook',
    summary: 'Hold back what is written for a webhook',
    tag: 'Webhooks',
    params: z.object({ id: z.string().max(80) }),
    response: z.null(),
    status: 204,
    handle: async (ctx, { params }) => {
      await verbs['jobs.pauseWebhook'].run(ctx, { webhookId: params.id });
      return null;
    },
  }),
  defineRoute({
    method: 'post',
    path: '/webhooks/{id}/resume',
    operationId: 'resumeWebhook',
    summary: 'Let a paused webhook go on; what waited is sent',
    tag: 'Webhooks',
    params: z.object({ id: z.string().max(80) }),
    response: z.object({ sent: z.int() }),
    handle: (ctx, { params }) => verbs['jobs.resumeWebhook'].run(ctx, { webhookId: params.id }),
  }),
  defineRoute({
    method: 'post',
    path: '/webhooks/{id}/test',
    operationId: 'testWebhook',
    summary: 'Send a test message to one webhook',
    tag: 'Webhooks',
    params: z.object({ id: z.string().max(80) }),
    response: z.object({ messageId: z.string() }),
    status: 201,
    handle: (ctx, { params }) => verbs['jobs.testWebhook'].run(ctx, { webhookId: params.id }),
  }),
  defineRoute({
    method: 'post',
    path: '/webhooks/{id}/replay',
    operationId: 'replayWebhookMessages',
    summary: 'Send again what failed, or everything, in a span of time; at most 500 messages',
    tag: 'Webhooks',
    params: z.object({ id: z.string().max(80) }),
    body: z.object(replayDeliveriesInput.shape).omit({ webhookId: true }),
    response: z.object({ sent: z.int(), left: z.boolean() }),
    handle: (ctx, { params, body }) =>
      verbs['jobs.replayDeliveries'].run(ctx, replayDeliveriesInput.parse({ ...body, webhookId: params.id })),
  }),
  defineRoute({
    method: 'get',
    path: '/messages/{id}',
    operationId: 'getMessage',
    summary: 'One message as it was sent, and each try to deliver it',
    tag: 'Webhooks',
    params: z.object({ id: z.string().max(80) }),
    response: z
      .object({
        id: z.string(),
        channel: z.string(),
        destination: z.string(),
        kind: z.string(),
        title: z.string(),
        state: z.enum(['waiting', 'delivered', 'failed']),
        body: z.string(),
        createdAt: z.string(),
        attempts: z.array(
          z.object({
            id: z.string(),
            at: z.string(),
            status: z.int().nullable(),
            tookMs: z.int(),
            problem: z.string(),
            /** Beginning of what the other side answered: somebody else's text. */
            excerpt: z.string(),
          }),
        ),
      })
      .meta({ id: 'MessageDetail' }),
    handle: async (ctx, { params }) => {
      const { id, channel, destination, kind, title, state, body, createdAt, attemptList } =
        await readDelivery(ctx, params.id);
      return {
        id,
        channel,
        destination,
        kind,
        title,
        state,
        body,
        createdAt: createdAt.toISOString(),
        attempts: attemptList.map((each) => ({ ...each, at: each.at.toISOString() })),
      };
    },
  }),
  defineRoute({
    method: 'delete',
    path: '/webhooks/{id}',
    operationId: 'endWebhook',
    summary: 'Remove a webhook',
    tag: 'Webhooks',
    params: z.object({ id: z.string().max(80) }),
    response: z.null(),
    status: 204,
    handle: async (ctx, { params }) => {
      await verbs['jobs.endWebhook'].run(ctx, { webhookId: params.id });
      return null;
    },
  }),
  defineRoute({
    method: 'post',
    path: '/messages/{id}/replay',
    operationId: 'replayMessage',
    summary: 'Send a message again, under the same id',
    tag: 'Webhooks',
    params: z.object({ id: z.string().max(80) }),
    response: z.null(),
    status: 204,
    handle: async (ctx, { params }) => {
      await verbs['jobs.replayDelivery'].run(ctx, { messageId: params.id });
      return null;
    },
  }),
  defineRoute({
    method: 'get',
    path: '/messages',
    operationId: 'listMessages',
    summary: 'Mails and webhook calls: what left, what waits, what failed and why',
    tag: 'Webhooks',
    query: z.object({
      webhookId: queryText.max(80).optional(),
      channel: z.enum(['mail', 'webhook']).optional(),
      state: z.enum(['waiting', 'delivered', 'failed']).optional(),
      ...pageQuery,
    }),
    response: pageOf(
      z
        .object({
          id: z.string(),
          channel: z.string(),
          destination: z.string(),
          kind: z.string(),
          title: z.string(),
          state: z.enum(['waiting', 'delivered', 'failed']),
          attempts: z.int(),
          createdAt: z.string(),
          nextAttemptAt: z.string().nullable(),
          deliveredAt: z.string().nullable(),
          failedAt: z.string().nullable(),
          lastError: z.string().nullable(),
        })
        .meta({ id: 'Message' }),
    ),
    handle: async (ctx, { query }) => {
      const page = await listDeliveries(ctx, query);
      return {
        ...page,
        items: page.items.map((item) => ({
          ...item,
          createdAt: item.createdAt.toISOString(),
          nextAttemptAt: item.nextAttemptAt?.toISOString() ?? null,
          deliveredAt: item.deliveredAt?.toISOString() ?? null,
          failedAt: item.failedAt?.toISOString() ?? null,
        })),
      };
    },
  }),
];
