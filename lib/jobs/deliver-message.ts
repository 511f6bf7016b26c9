import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { requireSystem } from '#lib/access/require.ts';
import { listAdminIds } from '#lib/access/roles.ts';
import { enqueueDelivery, notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Unavailable } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import type { Services } from './services.ts';
import { webhookBody } from './webhooks.ts';

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
  const content = payloadSchema.safeParse(message.payload);
  const beganMs = ctx.clock.monotonicMs();
  let answer: Answer | null = null;
  let failure: Error | null = null;
  try {
    if (!content.success) throw new Error('The message is not of a known shape.');
    if (message.channel === 'mail') await services.mail?.send(toMail(message.destination, content.data));
    else {
      const webhook = await ctx.db.prisma.webhook.findUnique({ where: { id: message.destination } });
      if (!webhook || webhook.endedAt) throw new WebhookGone('This webhook was removed.');
      // It waits with the others until somebody lets it go on; that is no attempt.
      if (webhook.pausedAt) return;
      answer = await callWebhook(ctx, services, webhook, message);
      failure = failureOf(answer);
    }
  } catch (error) {
    failure = error instanceof Error ? error : new Error('unknown failure');
  }
  const tookMs = Math.round(ctx.clock.monotonicMs() - beganMs);
  await storeAttempt(ctx, message, { answer, failure, tookMs });
  if (failure) services.log.warn({ err: failure, messageId: id }, 'a message could not be delivered');
}

type Message = {
  id: string;
  channel: string;
  destination: string;
  kind: string;
  payload: unknown;
  createdAt: Date;
  attempts: number;
};

/** After failing this long without one arrival, a webhook rests until an admin has looked. Seconds. */
export const pauseAfterSeconds = 3 * 86_400;

/**
 * Keeps what came of one try and what follows from it: the next try, the end of the message, a webhook that rests. If
 * another worker has stored the same try, this one is dropped.
 */
async function storeAttempt(
  ctx: Ctx,
  message: Message,
  { answer, failure, tookMs }: { answer: Answer | null; failure: Error | null; tookMs: number },
): Promise<void> {
  await withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const attempts = message.attempts + 1;
    const pause = retryAfterSeconds[attempts - 1];
    const nextAttemptAt =
      failure && pause !== undefined && !(failure instanceof WebhookGone) ? addSeconds(now, pause) : null;
    const problem = failure?.message.replaceAll('\0', '').slice(0, 500) ?? '';
    const { count } = await tx.outboxMessage.updateMany({
      where: { id: message.id, attempts: message.attempts, deliveredAt: null, failedAt: null },
      data: {
        attempts,
        lastError: problem || null,
        ...(failure === null ? { deliveredAt: now } : nextAttemptAt ? { nextAttemptAt } : { failedAt: now }),
      },
    });
    if (count === 0) return;
    await tx.deliveryAttempt.create({
      data: {
        id: newId('attempt'),
        messageId: message.id,
        at: now,
        status: answer?.status ?? null,
        tookMs,
        problem,
        excerpt: answer?.excerpt ?? '',
      },
    });
    if (nextAttemptAt) await enqueueDelivery(tx, message.id, nextAttemptAt);
    if (message.channel === 'webhook') {
      await noteWebhookHealth(tx, ctx, message.destination, failure);
      await notifyChange(tx, 'webhooks', message.destination);
    }
  });
}

/** Since when nothing arrives at a webhook; when that is for days, it rests and the admins hear of it. */
async function noteWebhookHealth(tx: Tx, ctx: Ctx, webhookId: string, failure: Error | null): Promise<void> {
  const now = ctx.clock.now();
  if (failure === null) {
    await tx.webhook.updateMany({
      where: { id: webhookId, failingSince: { not: null } },
      data: { failingSince: null },
    });
    return;
  }
  await tx.webhook.updateMany({
    where: { id: webhookId, failingSince: null, endedAt: null },
    data: { failingSince: now },
  });
  const { count } = await tx.webhook.updateMany({
    where: {
      id: webhookId,
      endedAt: null,
      pausedAt: null,
      failingSince: { lte: addSeconds(now, -pauseAfterSeconds) },
    },
    data: { pausedAt: now, pauseCause: 'failing' },
  });
  if (count === 0) return;
  const webhook = await tx.webhook.findUniqueOrThrow({
    where: { id: webhookId },
    select: { name: true, url: true },
  });
  await recordEvent(tx, ctx, { kind: 'webhook.pause', subjectId: webhookId, reason: 'failing' });
  await notify(tx, ctx, {
    personIds: await listAdminIds(tx, ctx),
    kind: 'webhook.pause',
    title: `A webhook was paused: ${webhook.name || new URL(webhook.url).host}`,
    body: `Nothing has arrived there for three days. Last: ${failure.message} What is written from now on waits for it: mend the receiver, then resume it.`,
    href: `/notifications/webhooks/${webhookId}`,
  });
}

/** Enqueues what is due and has no job any more: after a mail server was configured, or a lost queue. */
export async function deliverDue(ctx: Ctx, _payload: unknown, services: Services): Promise<void> {
  requireSystem(ctx);
  const paused = await ctx.db.prisma.webhook.findMany({
    where: { pausedAt: { not: null }, endedAt: null },
    select: { id: true },
  });
  const due = await ctx.db.prisma.outboxMessage.findMany({
    where: {
      deliveredAt: null,
      failedAt: null,
      nextAttemptAt: { lt: addSeconds(ctx.clock.now(), -60) },
      ...(services.mail ? {} : { channel: 'webhook' }),
      // What waits for a paused webhook is not due.
      destination: { notIn: paused.map((webhook) => webhook.id) },
    },
    orderBy: { nextAttemptAt: 'asc' },
    take: 200,
    select: { id: true },
  });
  for (const { id } of due) await enqueueDelivery(ctx.db.prisma, id, ctx.clock.now());
}

class WebhookGone extends Error {}

type Answer = { status: number; excerpt: string };

/** This much of an answer is kept, for whoever looks for the reason; it is somebody else's text. */
const excerptLength = 500;
const excerptBytes = 2_048;

async function callWebhook(
  ctx: Ctx,
  services: Services,
  webhook: {
    id: string;
    url: string;
    secretSealed: string;
    formerSecretSealed: string | null;
    formerSecretEndsAt: Date | null;
  },
  message: Message,
): Promise<Answer> {
  if (!ctx.vault) throw new Unavailable('Only the worker holds the key that opens webhook secrets.');
  const { vault } = ctx;
  const now = ctx.clock.now();
  const body = webhookBody(message);
  const sealed = [webhook.secretSealed];
  if (webhook.formerSecretSealed && webhook.formerSecretEndsAt && webhook.formerSecretEndsAt > now)
    sealed.push(webhook.formerSecretSealed);
  const signatures = sealed.map((each) =>
    new Webhook(vault.open(each, webhook.id)).sign(message.id, now, body),
  );
  const answer = await services.remote.send(webhook.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      // Standard Webhooks: the signature covers id, instant and body, so none can be exchanged.
      'webhook-id': message.id,
      'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
      'webhook-signature': signatures.join(' '),
    },
    body,
    maxResponseBytes: 64 * 1024,
  });
  if (!answer.ok) throw new Error(`Not reached: ${answer.error.detail}.`);
  const text = Buffer.from(answer.value.bytes.slice(0, excerptBytes)).toString('utf8');
  return { status: answer.value.status, excerpt: text.replaceAll('\0', '\uFFFD').slice(0, excerptLength) };
}

function failureOf({ status }: Answer): Error | null {
  if (status === 410) return new WebhookGone('The receiver answered 410 Gone.');
  return status < 200 || status > 299 ? new Error(`The receiver answered ${status}.`) : null;
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
