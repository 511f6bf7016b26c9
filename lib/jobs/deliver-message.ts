import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { requireSystem } from '#lib/access/require.ts';
import { enqueueDelivery } from '#lib/audit/notify.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Unavailable } from '#lib/platform/errors.ts';
import type { Services } from './services.ts';

/** Pauses after each failed attempt, in seconds; after the last one the message is dead and shown as failed. */
export const retryAfterSeconds = [5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000] as const;

const payloadSchema = z.object({
  kind: z.string(),
  title: z.string(),
  body: z.string(),
  url: z.string(),
});
type MessagePayload = z.output<typeof payloadSchema>;

const jobSchema = z.object({ id: z.string() });

/**
 * Delivers one message of the outbox: a mail, or a signed call of a webhook. The row remembers every attempt; a
 * failure is tried again with growing pauses and given up after the last. A message may arrive twice when its
 * acknowledgement is lost: its id is the same, so receivers can tell.
 */
export async function deliverMessage(ctx: Ctx, payload: unknown, services: Services): Promise<void> {
  requireSystem(ctx);
  const { id } = jobSchema.parse(payload);
  const message = await ctx.db.prisma.outboxMessage.findUnique({ where: { id } });
  if (!message || message.deliveredAt || message.failedAt) return;
  // Without a mail server a mail waits, visibly, until there is one; that is no attempt.
  if (message.channel === 'mail' && !services.mail) return;
  const attempts = message.attempts + 1;
  try {
    const content = payloadSchema.parse(message.payload);
    if (message.channel === 'mail') await services.mail?.send(toMail(message.destination, content));
    else await callWebhook(ctx, services, message, content);
  } catch (error) {
    const pause = retryAfterSeconds[attempts - 1];
    const now = ctx.clock.now();
    const gone = error instanceof WebhookGone;
    const nextAttemptAt = pause === undefined || gone ? null : addSeconds(now, pause);
    await ctx.db.prisma.outboxMessage.update({
      where: { id },
      data: {
        attempts,
        lastError: (error instanceof Error ? error.message : 'unknown failure').slice(0, 500),
        ...(nextAttemptAt ? { nextAttemptAt } : { failedAt: now }),
      },
    });
    if (nextAttemptAt) await enqueueDelivery(ctx.db.prisma, id, nextAttemptAt);
    services.log.warn({ err: error, messageId: id, attempts }, 'a message could not be delivered');
    return;
  }
  await ctx.db.prisma.outboxMessage.update({
    where: { id },
    data: { attempts, deliveredAt: ctx.clock.now(), lastError: null },
  });
}

/** Enqueues what is due and has no job any more: after a mail server was configured, or a lost queue. */
export async function deliverDue(ctx: Ctx, _payload: unknown, services: Services): Promise<void> {
  requireSystem(ctx);
  const due = await ctx.db.prisma.outboxMessage.findMany({
    where: {
      deliveredAt: null,
      failedAt: null,
      nextAttemptAt: { lt: addSeconds(ctx.clock.now(), -60) },
      ...(services.mail ? {} : { channel: 'webhook' }),
    },
    orderBy: { nextAttemptAt: 'asc' },
    take: 200,
    select: { id: true },
  });
  for (const { id } of due) await enqueueDelivery(ctx.db.prisma, id, ctx.clock.now());
}

class WebhookGone extends Error {}

async function callWebhook(
  ctx: Ctx,
  services: Services,
  message: { id: string; destination: string; createdAt: Date },
  content: MessagePayload,
): Promise<void> {
  if (!ctx.vault) throw new Unavailable('Only the worker holds the key that opens webhook secrets.');
  const webhook = await ctx.db.prisma.webhook.findUnique({ where: { id: message.destination } });
  if (!webhook || webhook.endedAt) throw new WebhookGone('This webhook was removed.');
  const now = ctx.clock.now();
  const body = JSON.stringify({
    type: content.kind,
    timestamp: message.createdAt.toISOString(),
    data: { title: content.title, body: content.body, url: content.url },
  });
  const signer = new Webhook(ctx.vault.open(webhook.secretSealed, webhook.id));
  const answer = await services.remote.send(webhook.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      // Standard Webhooks: the signature covers id, instant and body, so none can be exchanged.
      'webhook-id': message.id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': signer.sign(message.id, now, body),
    },
    body,
    maxResponseBytes: 64 * 1024,
  });
  if (!answer.ok) throw new Error(`Not reached: ${answer.error.detail}.`);
  const { status } = answer.value;
  if (status === 410) throw new WebhookGone('The receiver answered 410 Gone.');
  if (status < 200 || status > 299) throw new Error(`The receiver answered ${status}.`);
}

function toMail(to: string, content: MessagePayload) {
  const toMarkup = (text: string) =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
  const subject = content.title.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').slice(0, 200);
  return {
    to,
    subject,
    text: `${content.body}\n\n${content.url}\n`,
    html: `<p>${toMarkup(content.body).replaceAll('\n', '<br>')}</p><p><a href="${toMarkup(content.url)}">${toMarkup(content.url)}</a></p>`,
  };
}
