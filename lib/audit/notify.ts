import type { Ctx } from '#lib/platform/ctx.ts';
import { consoleUrl } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { notifyChange } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import type { MessageKind } from './messages.ts';

export type NotificationInput = {
  personIds: readonly string[];
  /** What happened, from the closed list; webhooks subscribe by it. */
  kind: MessageKind;
  title: string;
  /** What happened and what to do next, in plain sentences. */
  body: string;
  /** Path on the console. */
  href: string;
};

/**
 * Tells people, in the transaction of the cause: a row for the badge of each person, a mail for each, and one
 * message a subscribed webhook. Delivery is a job's; if the transaction rolls back nobody hears of it.
 */
export async function notify(
  tx: Tx,
  ctx: Pick<Ctx, 'clock' | 'site'>,
  input: NotificationInput,
): Promise<void> {
  const now = ctx.clock.now();
  const people = await tx.person.findMany({
    where: { id: { in: [...new Set(input.personIds)] }, state: 'active' },
    select: { id: true, email: true },
  });
  if (people.length > 0) {
    await tx.notification.createMany({
      data: people.map((person) => ({
        id: newId('notification'),
        personId: person.id,
        kind: input.kind,
        title: input.title,
        body: input.body,
        href: input.href,
        createdAt: now,
      })),
    });
  }
  const webhooks = await tx.webhook.findMany({ where: { endedAt: null }, select: { id: true, kinds: true } });
  const payload = {
    kind: input.kind,
    title: input.title,
    body: input.body,
    url: consoleUrl(ctx.site, input.href),
  };
  const messages = [
    ...people.map((person) => ({ channel: 'mail', destination: person.email })),
    ...webhooks
      .filter((webhook) => webhook.kinds.length === 0 || webhook.kinds.includes(input.kind))
      .map((webhook) => ({ channel: 'webhook', destination: webhook.id })),
  ];
  if (messages.length > 0) {
    const rows = messages.map((message) => ({
      id: newId('outbox'),
      ...message,
      kind: input.kind,
      payload,
      createdAt: now,
      nextAttemptAt: now,
    }));
    await tx.outboxMessage.createMany({ data: rows });
    for (const row of rows) await enqueueDelivery(tx, row.id);
  }
  for (const person of people) await notifyChange(tx, 'notifications', person.id);
}

/**
 * Queues the delivery of one message, at once or at `runAt`: a job of the same transaction, so that it runs only if
 * the message exists. One job a message; a later one replaces it.
 */
export async function enqueueDelivery(
  tx: Pick<Tx, '$executeRaw'>,
  messageId: string,
  runAt: Date | null = null,
): Promise<void> {
  await tx.$executeRaw`SELECT graphile_worker.add_job('deliver-message', json_build_object('id', ${messageId}::text),
    run_at => ${runAt}::timestamptz, job_key => ${messageId}, max_attempts => 3)`;
}
