import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { messageKinds } from '#lib/audit/messages.ts';
import { enqueueDelivery } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { newRandomBytes } from '#lib/platform/crypto.ts';
import { type Ctx, consoleUrl } from '#lib/platform/ctx.ts';
import { decodeCursor, type Page, toPage } from '#lib/platform/cursor.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, LimitExceeded, NotFound, Unavailable } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';

const maxWebhooks = 20;

const deliveryUrl = z
  .string()
  .max(2048)
  .refine((text) => {
    const url = URL.parse(text);
    return (
      url !== null &&
      (url.protocol === 'https:' || url.protocol === 'http:') &&
      url.username === '' &&
      url.password === '' &&
      url.hash === '' &&
      (url.href === text || url.href === `${text}/`)
    );
  }, 'must be an absolute http or https URL without user name or fragment')
  // A host alone has the path of its root, however it was typed.
  .transform((text) => URL.parse(text)?.href ?? text);

export const createWebhookInput = z.strictObject({
  url: deliveryUrl,
  /** Which messages it gets; none named means all. */
  kinds: z.array(z.enum(messageKinds)).max(100).default([]),
  /** What people call it; its address where there is none. */
  name: z.string().trim().max(80).default(''),
});

/**
 * Adds a webhook and shows its secret this once; afterwards only its seal is kept. Calls are signed as Standard
 * Webhooks describe, over id, instant and body, and leave through the guarded door: no private address, no redirect.
 */
export async function createWebhook(
  ctx: Ctx,
  input: z.input<typeof createWebhookInput>,
): Promise<{ webhookId: string; secret: string }> {
  const admin = requireRole(ctx, 'admin');
  const { url, kinds, name } = createWebhookInput.parse(input);
  const vault = ctx.vault;
  if (!vault) throw new Unavailable('Only the gate holds the key that seals webhook secrets.');
  const secret = newWebhookSecret();
  return withTransaction(ctx, async (tx) => {
    if ((await tx.webhook.count({ where: { endedAt: null } })) >= maxWebhooks) {
      throw new LimitExceeded(`There are ${maxWebhooks} webhooks already. End one first.`);
    }
    const id = newId('webhook');
    await tx.webhook.create({
      data: {
        id,
        url,
        name,
        secretSealed: vault.seal(secret, id),
        kinds,
        createdById: admin.personId,
        createdAt: ctx.clock.now(),
      },
    });
    await recordEvent(tx, ctx, { kind: 'webhook.create', subjectId: id, after: { url, name, kinds } });
    return { webhookId: id, secret };
  });
}

const secretPrefix = 'whsec_';

/** As Standard Webhooks writes one: 32 random bytes in base64 behind its prefix. */
function newWebhookSecret(): string {
  return `${secretPrefix}${newRandomBytes(32).toString('base64')}`;
}

export const editWebhookInput = z.strictObject({
  webhookId: z.string().max(80),
  url: deliveryUrl,
  kinds: createWebhookInput.shape.kinds,
  name: createWebhookInput.shape.name,
});

/** Changes where a webhook goes, what it is called and which messages it gets. What waits goes to the new address. */
export async function editWebhook(ctx: Ctx, input: z.input<typeof editWebhookInput>): Promise<void> {
  requireRole(ctx, 'admin');
  const { webhookId, ...after } = editWebhookInput.parse(input);
  await withTransaction(ctx, async (tx) => {
    const before = await livingWebhook(tx, webhookId);
    const { count } = await tx.webhook.updateMany({
      where: { id: webhookId, endedAt: null },
      // Failures of the former address say nothing about this one.
      data: { ...after, ...(after.url === before.url ? {} : { failingSince: null }) },
    });
    if (count === 0) throw new Conflict('This webhook was removed meanwhile.');
    const { url, name, kinds } = before;
    await recordEvent(tx, ctx, {
      kind: 'webhook.edit',
      subjectId: webhookId,
      before: { url, name, kinds },
      after,
    });
    await notifyChange(tx, 'webhooks', webhookId);
  });
}

export const webhookIdInput = z.strictObject({ webhookId: z.string().max(80) });

/** Holds back everything for a webhook: messages are kept and wait for `resumeWebhook`. */
export async function pauseWebhook(ctx: Ctx, input: z.output<typeof webhookIdInput>): Promise<void> {
  requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    await livingWebhook(tx, input.webhookId);
    const { count } = await tx.webhook.updateMany({
      where: { id: input.webhookId, endedAt: null, pausedAt: null },
      data: { pausedAt: ctx.clock.now(), pauseCause: 'by hand' },
    });
    if (count === 0) throw new Conflict('This webhook is paused already.');
    await recordEvent(tx, ctx, { kind: 'webhook.pause', subjectId: input.webhookId, reason: 'by hand' });
    await notifyChange(tx, 'webhooks', input.webhookId);
  });
}

/** Most messages one act sends again, and a resumed webhook gets at once; what is left is sent a little later. */
const mostAtOnce = 500;

/** Lets a paused webhook go on; what waited for it is sent, oldest first. */
export async function resumeWebhook(
  ctx: Ctx,
  input: z.output<typeof webhookIdInput>,
): Promise<{ sent: number }> {
  requireRole(ctx, 'admin');
  return withTransaction(ctx, async (tx) => {
    await livingWebhook(tx, input.webhookId);
    const { count } = await tx.webhook.updateMany({
      where: { id: input.webhookId, endedAt: null, pausedAt: { not: null } },
      data: { pausedAt: null, pauseCause: null, failingSince: null },
    });
    if (count === 0) throw new Conflict('This webhook is not paused.');
    const waiting = await tx.outboxMessage.findMany({
      where: { channel: 'webhook', destination: input.webhookId, deliveredAt: null, failedAt: null },
      orderBy: { id: 'asc' },
      take: mostAtOnce,
      select: { id: true },
    });
    for (const { id } of waiting) await enqueueDelivery(tx, id);
    await recordEvent(tx, ctx, {
      kind: 'webhook.resume',
      subjectId: input.webhookId,
      data: { waiting: waiting.length },
    });
    await notifyChange(tx, 'webhooks', input.webhookId);
    return { sent: waiting.length };
  });
}

const mostTestsWaiting = 5;

/** Sends a message of kind `webhook.test` to one webhook, through the same queue, signature and log as any other. */
export async function testWebhook(
  ctx: Ctx,
  input: z.output<typeof webhookIdInput>,
): Promise<{ messageId: string }> {
  const admin = requireRole(ctx, 'admin');
  return withTransaction(ctx, async (tx) => {
    const webhook = await livingWebhook(tx, input.webhookId);
    if (webhook.pausedAt) throw new Conflict('This webhook is paused. Resume it first.');
    const waiting = await tx.outboxMessage.count({
      where: { destination: input.webhookId, kind: 'webhook.test', deliveredAt: null, failedAt: null },
    });
    if (waiting >= mostTestsWaiting) {
      throw new LimitExceeded('Several tests are still under way. Look at their deliveries first.');
    }
    const messageId = newId('outbox');
    const now = ctx.clock.now();
    await tx.outboxMessage.create({
      data: {
        id: messageId,
        channel: 'webhook',
        destination: input.webhookId,
        kind: 'webhook.test',
        payload: {
          kind: 'webhook.test',
          title: 'This is a test',
          body: `${admin.displayName} tried this webhook out. Nothing happened.`,
          url: consoleUrl(ctx.site, `/notifications/webhooks/${input.webhookId}`),
        },
        createdAt: now,
        nextAttemptAt: now,
      },
    });
    await enqueueDelivery(tx, messageId);
    await recordEvent(tx, ctx, { kind: 'webhook.test', subjectId: input.webhookId, data: { messageId } });
    return { messageId };
  });
}

export const rotateWebhookSecretInput = z.strictObject({
  webhookId: z.string().max(80),
  /** How long calls carry the former signature beside the new one. */
  overlapSeconds: z
    .int()
    .min(0)
    .max(7 * 86_400)
    .default(86_400),
});

/**
 * Gives a webhook a new secret, shown this once. Until the overlap ends each call carries both signatures, as Standard
 * Webhooks allows, so that the receiver can change over without losing one.
 */
export async function rotateWebhookSecret(
  ctx: Ctx,
  input: z.output<typeof rotateWebhookSecretInput>,
): Promise<{ secret: string; formerEndsAt: Date | null }> {
  requireRole(ctx, 'admin');
  const vault = ctx.vault;
  if (!vault) throw new Unavailable('Only the gate holds the key that seals webhook secrets.');
  const secret = newWebhookSecret();
  const formerEndsAt = input.overlapSeconds > 0 ? addSeconds(ctx.clock.now(), input.overlapSeconds) : null;
  await withTransaction(ctx, async (tx) => {
    const webhook = await livingWebhook(tx, input.webhookId);
    const { count } = await tx.webhook.updateMany({
      where: { id: input.webhookId, endedAt: null, secretSealed: webhook.secretSealed },
      data: {
        secretSealed: vault.seal(secret, input.webhookId),
        formerSecretSealed: formerEndsAt && webhook.secretSealed,
        formerSecretEndsAt: formerEndsAt,
      },
    });
    if (count === 0) throw new Conflict('This webhook got another secret meanwhile.');
    await recordEvent(tx, ctx, {
      kind: 'webhook.rotate',
      subjectId: input.webhookId,
      data: { formerEndsAt: formerEndsAt?.toISOString() ?? null },
    });
  });
  return { secret, formerEndsAt };
}

async function livingWebhook(tx: Tx, id: string) {
  const webhook = await tx.webhook.findUnique({ where: { id } });
  if (!webhook) throw new NotFound();
  if (webhook.endedAt) throw new Conflict('This webhook was removed.');
  return webhook;
}

export const endWebhookInput = z.strictObject({ webhookId: z.string().max(80) });

/** Removes a webhook: nothing is sent to it from this commit on. */
export async function endWebhook(ctx: Ctx, input: z.output<typeof endWebhookInput>): Promise<void> {
  requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const webhook = await tx.webhook.findUnique({
      where: { id: input.webhookId },
      select: { url: true, kinds: true },
    });
    if (!webhook) throw new NotFound();
    const { count } = await tx.webhook.updateMany({
      where: { id: input.webhookId, endedAt: null },
      data: { endedAt: ctx.clock.now() },
    });
    if (count === 0) throw new Conflict('This webhook was removed already.');
    await recordEvent(tx, ctx, { kind: 'webhook.end', subjectId: input.webhookId, before: webhook });
  });
}

export type WebhookFacts = {
  id: string;
  name: string;
  url: string;
  kinds: string[];
  createdAt: Date;
  endedAt: Date | null;
  pausedAt: Date | null;
  pauseCause: string | null;
  failingSince: Date | null;
  formerSecretEndsAt: Date | null;
};

const webhookFacts = {
  id: true,
  name: true,
  url: true,
  kinds: true,
  createdAt: true,
  endedAt: true,
  pausedAt: true,
  pauseCause: true,
  failingSince: true,
  formerSecretEndsAt: true,
} as const;

/** Every webhook, newest first, removed ones last. For admins and auditors. */
export async function listWebhooks(ctx: Ctx): Promise<WebhookFacts[]> {
  requireRole(ctx, 'admin', 'auditor');
  return ctx.db.prisma.webhook.findMany({
    orderBy: [{ endedAt: { sort: 'desc', nulls: 'first' } }, { id: 'desc' }],
    take: 200,
    select: webhookFacts,
  });
}

/** One webhook, with what still waits for it. For admins and auditors. Throws `NotFound`. */
export async function getWebhook(ctx: Ctx, webhookId: string): Promise<WebhookFacts & { waiting: number }> {
  requireRole(ctx, 'admin', 'auditor');
  const [webhook, waiting] = await Promise.all([
    ctx.db.prisma.webhook.findUnique({ where: { id: webhookId }, select: webhookFacts }),
    ctx.db.prisma.outboxMessage.count({
      where: { channel: 'webhook', destination: webhookId, deliveredAt: null, failedAt: null },
    }),
  ]);
  if (!webhook) throw new NotFound();
  return { ...webhook, waiting };
}

export type DeliveryAttempt = {
  id: string;
  at: Date;
  status: number | null;
  tookMs: number;
  problem: string;
  excerpt: string;
};

/** The message as the other side gets it, and each try to deliver it, newest first. For admins and auditors. */
export async function readDelivery(
  ctx: Ctx,
  messageId: string,
): Promise<Delivery & { body: string; attemptList: DeliveryAttempt[] }> {
  requireRole(ctx, 'admin', 'auditor');
  const row = await ctx.db.prisma.outboxMessage.findUnique({
    where: { id: messageId },
    include: { tries: { orderBy: { id: 'desc' }, take: 50, omit: { messageId: true } } },
  });
  if (!row) throw new NotFound();
  const { tries, ...message } = row;
  return { ...toDelivery(message), body: webhookBody(message), attemptList: tries };
}

/** The bytes a webhook is sent: what the signature covers. */
export function webhookBody(message: { createdAt: Date; kind: string; payload: unknown }): string {
  const { title = '', body = '', url = '' } = (message.payload ?? {}) as Record<string, string>;
  return JSON.stringify({
    type: message.kind,
    timestamp: message.createdAt.toISOString(),
    data: { title, body, url },
  });
}

export const listDeliveriesInput = z.strictObject({
  webhookId: z.string().max(80).optional(),
  channel: z.enum(['mail', 'webhook']).optional(),
  state: z.enum(['waiting', 'delivered', 'failed']).optional(),
  limit: z.int().min(1).max(200).default(50),
  cursor: z.string().max(600).optional(),
});

export type Delivery = {
  id: string;
  channel: string;
  destination: string;
  kind: string;
  title: string;
  state: 'waiting' | 'delivered' | 'failed';
  attempts: number;
  createdAt: Date;
  nextAttemptAt: Date | null;
  deliveredAt: Date | null;
  failedAt: Date | null;
  lastError: string | null;
};

/** Messages that left or did not, newest first: what was sent to whom, and why something did not arrive. */
export async function listDeliveries(
  ctx: Ctx,
  query: z.input<typeof listDeliveriesInput>,
): Promise<Page<Delivery>> {
  requireRole(ctx, 'admin', 'auditor');
  const { webhookId, channel, state, limit, cursor } = listDeliveriesInput.parse(query);
  const after = decodeCursor(cursor, 1);
  const rows = await ctx.db.prisma.outboxMessage.findMany({
    where: {
      ...(webhookId ? { channel: 'webhook', destination: webhookId } : channel ? { channel } : {}),
      ...(state === 'delivered' ? { deliveredAt: { not: null } } : {}),
      ...(state === 'failed' ? { failedAt: { not: null } } : {}),
      ...(state === 'waiting' ? { deliveredAt: null, failedAt: null } : {}),
      ...(after ? { id: { lt: after[0] } } : {}),
    },
    orderBy: { id: 'desc' },
    take: limit + 1,
  });
  const page = toPage(rows, limit, (row) => [row.id]);
  return {
    nextCursor: page.nextCursor,
    items: page.items.map(toDelivery),
  };
}

function toDelivery(row: {
  id: string;
  channel: string;
  destination: string;
  kind: string;
  payload: unknown;
  attempts: number;
  createdAt: Date;
  nextAttemptAt: Date;
  deliveredAt: Date | null;
  failedAt: Date | null;
  lastError: string | null;
}): Delivery {
  const standing = row.deliveredAt ? 'delivered' : row.failedAt ? 'failed' : 'waiting';
  return {
    id: row.id,
    channel: row.channel,
    destination: row.destination,
    kind: row.kind,
    title: String((row.payload as { title?: unknown } | null)?.title ?? ''),
    state: standing,
    attempts: row.attempts,
    createdAt: row.createdAt,
    nextAttemptAt: standing === 'waiting' ? row.nextAttemptAt : null,
    deliveredAt: row.deliveredAt,
    failedAt: row.failedAt,
    lastError: row.lastError,
  };
}

export const replayDeliveryInput = z.strictObject({ messageId: z.string().max(80) });

/** Sends a message again under its own id, with all attempts before it: for one that failed, or was lost there. */
export async function replayDelivery(ctx: Ctx, input: z.output<typeof replayDeliveryInput>): Promise<void> {
  requireRole(ctx, 'admin');
  await withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const { count } = await tx.outboxMessage.updateMany({
      where: { id: input.messageId, OR: [{ deliveredAt: { not: null } }, { failedAt: { not: null } }] },
      data: { deliveredAt: null, failedAt: null, attempts: 0, lastError: null, nextAttemptAt: now },
    });
    if (count === 0) {
      const known = await tx.outboxMessage.count({ where: { id: input.messageId } });
      if (known === 0) throw new NotFound();
      throw new Conflict('This message is still under way.');
    }
    await enqueueDelivery(tx, input.messageId);
    await recordEvent(tx, ctx, { kind: 'message.replay', subjectId: input.messageId });
  });
}

export const replayDeliveriesInput = z
  .strictObject({
    webhookId: z.string().max(80),
    /** Written in this span, both ends included. */
    from: z.iso.datetime(),
    until: z.iso.datetime(),
    /** Only what failed, or everything that is not under way. */
    which: z.enum(['failed', 'all']).default('failed'),
  })
  .refine((input) => input.from <= input.until, {
    message: 'must not be before the beginning',
    path: ['until'],
  });

/**
 * Sends again what a webhook was sent, or failed to be sent, in a span of time: each message under its own id, so that
 * the receiver can tell. At most five hundred, oldest first; `left` says that there are more.
 */
export async function replayDeliveries(
  ctx: Ctx,
  input: z.output<typeof replayDeliveriesInput>,
): Promise<{ sent: number; left: boolean }> {
  requireRole(ctx, 'admin');
  return withTransaction(ctx, async (tx) => {
    await livingWebhook(tx, input.webhookId);
    const now = ctx.clock.now();
    const ended =
      input.which === 'failed'
        ? { failedAt: { not: null } }
        : { OR: [{ deliveredAt: { not: null } }, { failedAt: { not: null } }] };
    const found = await tx.outboxMessage.findMany({
      where: {
        channel: 'webhook',
        destination: input.webhookId,
        createdAt: { gte: new Date(input.from), lte: new Date(input.until) },
        ...ended,
      },
      orderBy: { id: 'asc' },
      take: mostAtOnce + 1,
      select: { id: true },
    });
    const ids = found.slice(0, mostAtOnce).map((row) => row.id);
    if (ids.length === 0) throw new Conflict('There is nothing to send again in this time.');
    await tx.outboxMessage.updateMany({
      where: { id: { in: ids }, ...ended },
      data: { deliveredAt: null, failedAt: null, attempts: 0, lastError: null, nextAttemptAt: now },
    });
    for (const id of ids) await enqueueDelivery(tx, id);
    await recordEvent(tx, ctx, {
      kind: 'webhook.replay',
      subjectId: input.webhookId,
      data: { from: input.from, until: input.until, which: input.which, messages: ids.length },
    });
    return { sent: ids.length, left: found.length > mostAtOnce };
  });
}
