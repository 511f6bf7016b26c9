import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MessageKind } from '#lib/audit/messages.ts';
import { notify } from '#lib/audit/notify.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { createLogger } from '#lib/platform/log.ts';
import { TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { deliverDue, deliverMessage, retryAfterSeconds } from './deliver-message.ts';
import { openServices, type Services } from './services.ts';
import { createWebhook, endWebhook, listDeliveries, replayDelivery } from './webhooks.ts';

let database: TestDatabase;
const closers: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await database.drop();
});

const log = createLogger({ level: 'silent' });

function services(smtpUrl: string | null = null): Services {
  const opened = openServices(
    { smtpUrl, mailFrom: 'Countersign <countersign@example.test>', allowLoopbackMetadata: true },
    { historyUrl: database.urls.gate, log },
  );
  closers.push(() => opened.mail?.close());
  return opened;
}

/** A mail server as RFC 5321 has it, on loopback: takes what it is given, or refuses with `refusal`. */
async function startMailServer(refusal?: string): Promise<{ url: string; mails: string[] }> {
  const mails: string[] = [];
  const serve = (socket: Socket) => {
    let inData = false;
    let buffer = '';
    const say = (line: string) => socket.write(`${line}\r\n`);
    socket.on('error', () => undefined);
    say('220 mail.example.test ESMTP');
    socket.on('data', (chunk) => {
      buffer += chunk.toString('utf8');
      for (;;) {
        const end = buffer.indexOf(inData ? '\r\n.\r\n' : '\r\n');
        if (end < 0) return;
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + (inData ? 5 : 2));
        if (inData) {
          mails.push(line);
          inData = false;
          say('250 taken');
        } else if (/^EHLO/i.test(line)) say('250 mail.example.test');
        else if (/^RCPT/i.test(line)) say(refusal ?? '250 fine');
        else if (/^DATA/i.test(line)) {
          inData = true;
          say('354 go on');
        } else if (/^QUIT/i.test(line)) {
          say('221 bye');
          socket.end();
        } else say('250 fine');
      }
    });
  };
  const server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(() => resolve())));
  return { url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, mails };
}

type Received = { headers: Record<string, string>; body: string };

async function startReceiver(answer: () => { status: number; location?: string; body?: string | Buffer }) {
  const received: Received[] = [];
  const server = createHttpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({
        headers: request.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString('utf8'),
      });
      const { status, location, body } = answer();
      response.writeHead(status, location ? { location } : {}).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(() => resolve())));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received };
}

const system = (clock = systemClock as TestClock | typeof systemClock) =>
  testCtx(database.db, undefined, { clock });

async function tell(personIds: string[], kind: MessageKind = 'request.approve', title = 'CS-1 approved') {
  const ctx = system();
  await withTransaction(ctx, (tx) =>
    notify(tx, ctx, {
      personIds,
      kind,
      title,
      body: 'Start it <again>.\nThen look.',
      href: '/requests/req_1',
    }),
  );
  return ctx.db.prisma.outboxMessage.findMany({ orderBy: { id: 'asc' } });
}

const messageOf = (id: string) => database.db.prisma.outboxMessage.findUniqueOrThrow({ where: { id } });
const queued = async () =>
  (
    await database.db.hot.query(
      `SELECT key, run_at FROM graphile_worker.jobs WHERE task_identifier = 'deliver-message' ORDER BY key`,
    )
  ).rows as { key: string; run_at: Date }[];

describe('mail', () => {
  test('reaches a mail server once, as text and markup', async () => {
    const olive = await addPerson(database.db, 'olive', ['owner']);
    const server = await startMailServer();
    const [message] = await tell(
      [olive.personId],
      'request.approve',
      'CS-1 approved\r\nBcc: all@example.test',
    );
    expect((await queued()).map((job) => job.key)).toEqual([message?.id]);
    const id = message?.id ?? '';
    await deliverMessage(system(), { id }, services(server.url));
    await deliverMessage(system(), { id }, services(server.url));
    expect(server.mails).toHaveLength(1);
    const [mail = ''] = server.mails;
    expect(mail).toContain('To: olive@example.test');
    expect(mail).toContain('Subject: CS-1 approved Bcc: all@example.test');
    expect(mail).toContain('Auto-Submitted: auto-generated');
    expect(mail).toContain('http://countersign.localhost:3000/requests/req_1');
    expect(mail).toContain('&lt;again&gt;');
    expect(await messageOf(id)).toMatchObject({ attempts: 1, lastError: null });
    expect((await messageOf(id)).deliveredAt).not.toBeNull();
  });

  test('waits where no mail server is configured, and goes out when there is one', async () => {
    const olive = await addPerson(database.db, 'olive', ['owner']);
    const [message] = await tell([olive.personId]);
    const id = message?.id ?? '';
    await deliverMessage(system(), { id }, services());
    expect(await messageOf(id)).toMatchObject({ attempts: 0, deliveredAt: null, failedAt: null });
    await database.db.hot.query(`UPDATE outbox_message SET next_attempt_at = now() - interval '1 hour'`);
    await database.db.hot.query('SELECT graphile_worker.remove_job($1)', [id]);
    await deliverDue(system(), null, services());
    expect(await queued()).toEqual([]);
    const server = await startMailServer();
    await deliverDue(system(), null, services(server.url));
    expect((await queued()).map((job) => job.key)).toEqual([id]);
    await deliverMessage(system(), { id }, services(server.url));
    expect(server.mails).toHaveLength(1);
  });

  test('is tried again with growing pauses and given up after the last', async () => {
    const olive = await addPerson(database.db, 'olive', ['owner']);
    const server = await startMailServer('451 not now');
    const [message] = await tell([olive.personId]);
    const id = message?.id ?? '';
    const clock = new TestClock();
    for (const pause of retryAfterSeconds) {
      await deliverMessage(system(clock), { id }, services(server.url));
      const row = await messageOf(id);
      expect(row.nextAttemptAt.getTime() - clock.now().getTime()).toBe(pause * 1000);
      expect(row.lastError).toContain('451');
      expect((await queued())[0]?.run_at).toEqual(row.nextAttemptAt);
      clock.advanceSeconds(pause);
    }
    await deliverMessage(system(clock), { id }, services(server.url));
    expect(await messageOf(id)).toMatchObject({ attempts: 9, failedAt: clock.now() });
  });
});

describe('a webhook', () => {
  const admin = async () =>
    testCtx(database.db, await addPerson(database.db, 'adam', ['admin']), { clock: systemClock });

  test('is called with a signature the library of its standard accepts; altered or replayed late it does not', async () => {
    const ctx = await admin();
    const receiver = await startReceiver(() => ({ status: 204 }));
    const { webhookId, secret } = await createWebhook(ctx, { url: receiver.url, kinds: ['request.approve'] });
    const stored = await database.db.prisma.webhook.findUniqueOrThrow({ where: { id: webhookId } });
    expect(JSON.stringify(stored)).not.toContain(secret);
    expect(await tell([], 'request.reject')).toEqual([]);
    const [message] = await tell([]);
    await deliverMessage(system(), { id: message?.id }, services());
    const [call] = receiver.received;
    const verifier = new Webhook(secret);
    expect(verifier.verify(call?.body ?? '', call?.headers ?? {})).toMatchObject({
      type: 'request.approve',
      data: { title: 'CS-1 approved' },
    });
    expect(call?.headers['webhook-id']).toBe(message?.id);
    expect(() => verifier.verify((call?.body ?? '').replace('CS-1', 'CS-2'), call?.headers ?? {})).toThrow();
    const late = String(Number(call?.headers['webhook-timestamp']) - 600);
    expect(() =>
      verifier.verify(call?.body ?? '', { ...call?.headers, 'webhook-timestamp': late }),
    ).toThrow();
  });

  test('that redirects is not followed, that fails is tried again, that is gone is given up', async () => {
    const ctx = await admin();
    const target = await startReceiver(() => ({ status: 204 }));
    const answers = [{ status: 307, location: target.url }, { status: 500 }, { status: 410 }];
    const receiver = await startReceiver(() => answers.shift() ?? { status: 204 });
    const { webhookId } = await createWebhook(ctx, { url: receiver.url, kinds: [] });
    const [message] = await tell([]);
    const id = message?.id ?? '';
    await deliverMessage(system(), { id }, services());
    expect(await messageOf(id)).toMatchObject({ attempts: 1, failedAt: null });
    await deliverMessage(system(), { id }, services());
    expect(await messageOf(id)).toMatchObject({ attempts: 2, lastError: 'The receiver answered 500.' });
    await deliverMessage(system(), { id }, services());
    expect(target.received).toEqual([]);
    expect((await messageOf(id)).failedAt).not.toBeNull();

    // Replayed by hand, with the same id, so that the receiver can tell.
    await replayDelivery(ctx, { messageId: id });
    await deliverMessage(system(), { id }, services());
    expect((await messageOf(id)).deliveredAt).not.toBeNull();
    expect(receiver.received.map((call) => call.headers['webhook-id'])).toEqual([id, id, id, id]);
    const { items } = await listDeliveries(ctx, { webhookId, limit: 50 });
    expect(items).toMatchObject([{ id, attempts: 1, state: 'delivered' }]);

    await endWebhook(ctx, { webhookId });
    expect(await tell([])).toHaveLength(1);
  });

  test('at a private address is not reached', async () => {
    const ctx = await admin();
    const receiver = await startReceiver(() => ({ status: 204 }));
    await createWebhook(ctx, { url: receiver.url, kinds: [] });
    const [message] = await tell([]);
    const strict = openServices(
      { smtpUrl: null, mailFrom: 'x@example.test', allowLoopbackMetadata: false },
      { historyUrl: database.urls.gate, log },
    );
    await deliverMessage(system(), { id: message?.id }, strict);
    expect(receiver.received).toEqual([]);
    expect((await messageOf(message?.id ?? '')).lastError).toMatch(/not allowed/);
  });

  test('is an admin’s to make and end, and history says so', async () => {
    const ava = testCtx(database.db, await addPerson(database.db, 'ava', ['approver']));
    await expect(createWebhook(ava, { url: 'https://example.test/', kinds: [] })).rejects.toThrow(/admin/);
    const ctx = await admin();
    await expect(createWebhook(ctx, { url: 'https://u:p@example.test/', kinds: [] })).rejects.toThrow();
    const { webhookId } = await createWebhook(ctx, { url: 'https://example.test/hook', kinds: [] });
    await expect(endWebhook(ava, { webhookId })).rejects.toThrow(/admin/);
    await expect(listDeliveries(ava, { webhookId, limit: 10 })).rejects.toThrow(/admin/);
    const ends = await Promise.allSettled([endWebhook(ctx, { webhookId }), endWebhook(ctx, { webhookId })]);
    expect(ends.filter((end) => end.status === 'rejected')).toHaveLength(1);
    const events = await database.db.prisma.auditEvent.findMany({
      where: { subjectId: webhookId },
      orderBy: { arrival: 'asc' },
    });
    expect(events.map((event) => [event.kind, event.actorName])).toEqual([
      ['webhook.create', 'adam'],
      ['webhook.end', 'adam'],
    ]);
  });
});
