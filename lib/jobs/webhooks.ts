import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { eventKinds } from '#lib/audit/catalogue.ts';
import { enqueueDelivery } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { newRandomBytes } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { decodeCursor, type Page, toPage } from '#lib/platform/cursor.ts';
import { withTransaction } from '#lib/platform/db.ts';
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
  kinds: z
    .array(z.enum(['history.broken', 'history.intact', ...eventKinds]))
    .max(100)
    .default([]),
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
  const { url, kinds } = createWebhookInput.parse(input);
  const vault = ctx.vault;
  if (!vault) throw new Unavailable('Only the gate holds the key that seals webhook secrets.');
  const secret = `whsec_${newRandomBytes(32).toString('base64')}`;
  return withTransaction(ctx, async (tx) => {
    if ((await tx.webhook.count({ where: { endedAt: null } })) >= maxWebhooks) {
      throw new LimitExceeded(`There are ${maxWebhooks} webhooks already. End one first.`);
    }
    const id = newId('webhook');
    await tx.webhook.create({
      data: {
        id,
        url,
        secretSealed: vault.seal(secret, id),
        kinds,
        createdById: admin.personId,
        createdAt: ctx.clock.now(),
      },
    });
    await recordEvent(tx, ctx, { kind: 'webhook.create', subjectId: id, after: { url, kinds } });
    return { webhookId: id, secret };
  });
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
  url: string;
  kinds: string[];
  createdAt: Date;
  endedAt: Date | null;
};

export async function listWebhooks(ctx: Ctx): Promise<WebhookFacts[]> {
  requireRole(ctx, 'admin', 'auditor');
  return ctx.db.prisma.webhook.findMany({
    orderBy: { id: 'desc' },
    take: 200,
    select: { id: true, url: true, kinds: true, createdAt: true, endedAt: true },
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
    items: page.items.map((row) => {
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
    }),
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
