import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type MessageKind, messageKinds } from '#lib/audit/messages.ts';
import { notify } from '#lib/audit/notify.ts';
import { anonymous, type PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { createLogger } from '#lib/platform/log.ts';
import { personActor, TestClock, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { addPerson } from '../../tests/people.ts';
import { deliverDue, deliverMessage, pauseAfterSeconds } from './deliver-message.ts';
import { openServices } from './services.ts';
import {
  createWebhook,
  createWebhookInput,
  editWebhook,
  endWebhook,
  getWebhook,
  listWebhooks,
  pauseWebhook,
  readDelivery,
  replayDeliveries,
  replayDeliveriesInput,
  resumeWebhook,
  rotateWebhookSecret,
  testWebhook,
} from './webhooks.ts';

type Received = { headers: Record<string, string>; body: string };

let database: TestDatabase;
let adam: PersonActor;
let clock: TestClock;
const closers: (() => Promise<void> | void)[] = [];
const log = createLogger({ level: 'silent' });

beforeEach(async () => {
  database = await createTestDatabase();
  adam = await addPerson(database.db, 'adam', ['admin']);
  // The receivers verify against the wall clock.
  clock = new TestClock(new Date(Math.floor(Date.now() / 1000) * 1000).toISOString());
});
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await database.drop();
});

const admin = (): Ctx => testCtx(database.db, adam, { clock });
const system = (): Ctx => testCtx(database.db, undefined, { clock });
const services = () =>
  openServices(
    { smtpUrl: null, mailFrom: 'x@example.test', allowLoopbackMetadata: true },
    { historyUrl: database.urls.gate, log },
  );
const deliver = (id: string) => deliverMessage(system(), { id }, services());
const messageOf = (id: string) => database.db.prisma.outboxMessage.findUniqueOrThrow({ where: { id } });
const eventsOf = async (subjectId: string) =>
  (await database.db.prisma.auditEvent.findMany({ where: { subjectId }, orderBy: { arrival: 'asc' } })).map(
    (event) => [event.kind, event.actorId],
  );
const queuedIds = async () =>
  (
    await database.db.hot.query(
      `SELECT key FROM graphile_worker.jobs WHERE task_identifier = 'deliver-message' ORDER BY key`,
    )
  ).rows.map((row: { key: string }) => row.key);

async function startReceiver(answer: () => { status: number; body?: string | Buffer }) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({
        headers: request.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString('utf8'),
      });
      const { status, body } = answer();
      response.writeHead(status).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => new Promise((resolve) => server.close(() => resolve())));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received };
}

async function tell(kind: MessageKind = 'request.approve'): Promise<string> {
  const before = new Set((await database.db.prisma.outboxMessage.findMany()).map((row) => row.id));
  await withTransaction(system(), (tx) =>
    notify(tx, system(), { personIds: [], kind, title: 'CS-1', body: 'Look.', href: '/requests/req_1' }),
  );
  const rows = await database.db.prisma.outboxMessage.findMany();
  return rows.find((row) => !before.has(row.id))?.id ?? '';
}

describe('who may', () => {
  test.each(['owner', 'approver', 'auditor'] as const)(
    'no %s changes, tries or replays one',
    async (role) => {
      const { webhookId } = await createWebhook(admin(), { url: 'https://example.test/hook', kinds: [] });
      const other = testCtx(database.db, personActor('per_x', [role]), { clock });
      const nobody = testCtx(database.db, anonymous, { clock });
      const span = replayDeliveriesInput.parse({
        webhookId,
        from: '2026-01-01T00:00:00Z',
        until: '2027-01-01T00:00:00Z',
      });
      for (const [ctx, code] of [
        [other, 'forbidden'],
        [nobody, 'unauthenticated'],
      ] as const) {
        await expect(editWebhook(ctx, { webhookId, url: 'https://example.test/' })).rejects.toMatchObject({
          code,
        });
        await expect(pauseWebhook(ctx, { webhookId })).rejects.toMatchObject({ code });
        await expect(resumeWebhook(ctx, { webhookId })).rejects.toMatchObject({ code });
        await expect(testWebhook(ctx, { webhookId })).rejects.toMatchObject({ code });
        await expect(rotateWebhookSecret(ctx, { webhookId, overlapSeconds: 0 })).rejects.toMatchObject({
          code,
        });
        await expect(replayDeliveries(ctx, span)).rejects.toMatchObject({ code });
      }
      if (role !== 'auditor')
        await expect(getWebhook(other, webhookId)).rejects.toMatchObject({ code: 'forbidden' });
      expect(await eventsOf(webhookId)).toEqual([['webhook.create', adam.personId]]);
    },
  );

  test('one that was removed and one nobody knows are not changed', async () => {
    const { webhookId } = await createWebhook(admin(), { url: 'https://example.test/hook', kinds: [] });
    await endWebhook(admin(), { webhookId });
    for (const [id, code] of [
      [webhookId, 'conflict'],
      ['whk_none', 'not_found'],
    ] as const) {
      await expect(
        editWebhook(admin(), { webhookId: id, url: 'https://example.test/' }),
      ).rejects.toMatchObject({ code });
      await expect(pauseWebhook(admin(), { webhookId: id })).rejects.toMatchObject({ code });
      await expect(testWebhook(admin(), { webhookId: id })).rejects.toMatchObject({ code });
      await expect(rotateWebhookSecret(admin(), { webhookId: id, overlapSeconds: 0 })).rejects.toMatchObject({
        code,
      });
    }
  });

  test('kinds nobody is ever told of cannot be chosen, and every one of the list can', () => {
    const url = 'https://example.test/hook';
    expect(createWebhookInput.safeParse({ url, kinds: ['guard.call'] }).success).toBe(false);
    expect(createWebhookInput.safeParse({ url, kinds: messageKinds }).success).toBe(true);
  });
});

test('a change is on record with before and after, and what waits goes to the new address', async () => {
  const receiver = await startReceiver(() => ({ status: 204 }));
  const { webhookId } = await createWebhook(admin(), { url: 'https://example.test/hook', kinds: [] });
  const id = await tell();
  await editWebhook(admin(), { webhookId, url: receiver.url, name: 'Chat', kinds: ['request.approve'] });
  await deliver(id);
  expect(receiver.received).toHaveLength(1);
  expect(await tell('request.reject')).toBe('');
  expect(await database.db.prisma.auditEvent.findFirst({ where: { kind: 'webhook.edit' } })).toMatchObject({
    actorId: adam.personId,
    before: { url: 'https://example.test/hook', kinds: [] },
    after: { url: receiver.url, name: 'Chat', kinds: ['request.approve'] },
  });
});

describe('pausing', () => {
  test('holds messages back without an attempt; resuming sends them', async () => {
    const receiver = await startReceiver(() => ({ status: 204 }));
    const { webhookId } = await createWebhook(admin(), { url: receiver.url, kinds: [] });
    await pauseWebhook(admin(), { webhookId });
    await expect(pauseWebhook(admin(), { webhookId })).rejects.toMatchObject({ code: 'conflict' });
    await expect(testWebhook(admin(), { webhookId })).rejects.toMatchObject({ code: 'conflict' });
    const id = await tell();
    await deliver(id);
    expect(receiver.received).toEqual([]);
    expect(await messageOf(id)).toMatchObject({ attempts: 0, deliveredAt: null, failedAt: null });
    expect(await getWebhook(admin(), webhookId)).toMatchObject({ waiting: 1, pauseCause: 'by hand' });
    await database.db.hot.query('SELECT graphile_worker.remove_job($1)', [id]);
    clock.advanceSeconds(3_600);
    await deliverDue(system(), null, services());
    expect(await queuedIds()).toEqual([]);
    expect(await resumeWebhook(admin(), { webhookId })).toEqual({ sent: 1 });
    expect(await queuedIds()).toEqual([id]);
    await deliver(id);
    expect(receiver.received).toHaveLength(1);
    await expect(resumeWebhook(admin(), { webhookId })).rejects.toMatchObject({ code: 'conflict' });
    expect(await eventsOf(webhookId)).toEqual([
      ['webhook.create', adam.personId],
      ['webhook.pause', adam.personId],
      ['webhook.resume', adam.personId],
    ]);
  });

  test('two at once pause it once', async () => {
    const { webhookId } = await createWebhook(admin(), { url: 'https://example.test/hook', kinds: [] });
    const both = await Promise.allSettled([
      pauseWebhook(admin(), { webhookId }),
      pauseWebhook(admin(), { webhookId }),
    ]);
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((each) => each.status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
  });

  test('comes by itself after three days of failures, and the admins are told; one arrival in between starts anew', async () => {
    let status = 500;
    const receiver = await startReceiver(() => ({ status }));
    const { webhookId } = await createWebhook(admin(), {
      url: receiver.url,
      kinds: ['request.approve'],
      name: 'Chat',
    });
    await deliver(await tell());
    clock.advanceSeconds(pauseAfterSeconds - 60);
    status = 204;
    await deliver(await tell());
    status = 500;
    await deliver(await tell());
    clock.advanceSeconds(pauseAfterSeconds - 60);
    await deliver(await tell());
    expect((await getWebhook(admin(), webhookId)).pausedAt).toBeNull();
    clock.advanceSeconds(120);
    const last = await tell();
    await deliver(last);
    expect(await getWebhook(admin(), webhookId)).toMatchObject({
      pausedAt: clock.now(),
      pauseCause: 'failing',
    });
    expect((await eventsOf(webhookId)).at(-1)?.[0]).toBe('webhook.pause');
    const told = await database.db.prisma.notification.findMany({ where: { personId: adam.personId } });
    expect(told).toMatchObject([
      {
        kind: 'webhook.pause',
        title: 'A webhook was paused: Chat',
        href: `/notifications/webhooks/${webhookId}`,
      },
    ]);
    await deliver(last);
    expect((await messageOf(last)).attempts).toBe(1);
  });
});

test('during an overlap each call carries both signatures; after it only the new one verifies', async () => {
  const receiver = await startReceiver(() => ({ status: 204 }));
  const { webhookId, secret: former } = await createWebhook(admin(), { url: receiver.url, kinds: [] });
  const { secret } = await rotateWebhookSecret(admin(), { webhookId, overlapSeconds: 60 });
  await deliver(await tell());
  const [first] = receiver.received;
  for (const each of [former, secret])
    expect(() => new Webhook(each).verify(first?.body ?? '', first?.headers ?? {})).not.toThrow();
  clock.advanceSeconds(61);
  await deliver(await tell());
  const second = receiver.received[1];
  expect(() => new Webhook(secret).verify(second?.body ?? '', second?.headers ?? {})).not.toThrow();
  expect(() => new Webhook(former).verify(second?.body ?? '', second?.headers ?? {})).toThrow();
  const stored = JSON.stringify(await database.db.prisma.webhook.findMany());
  expect(stored).not.toContain(secret);
  const facts = JSON.stringify(await listWebhooks(admin()));
  expect(facts).not.toMatch(/sealed|whsec/i);
  const events = await database.db.prisma.auditEvent.findMany({ where: { subjectId: webhookId } });
  expect(events.map((event) => event.kind)).toEqual(['webhook.create', 'webhook.rotate']);
  expect(JSON.stringify(events.map(({ data, before, after }) => [data, before, after]))).not.toContain(
    'whsec',
  );
});

test('two rotations at once: one secret is shown for nothing to nobody', async () => {
  const { webhookId } = await createWebhook(admin(), { url: 'https://example.test/hook', kinds: [] });
  const both = await Promise.allSettled([
    rotateWebhookSecret(admin(), { webhookId, overlapSeconds: 60 }),
    rotateWebhookSecret(admin(), { webhookId, overlapSeconds: 60 }),
  ]);
  const stored = await database.db.prisma.webhook.findUniqueOrThrow({ where: { id: webhookId } });
  const current = admin().vault?.open(stored.secretSealed, webhookId);
  const shown = both.flatMap((each) => (each.status === 'fulfilled' ? [each.value.secret] : []));
  expect(shown).toContain(current);
  // Where both succeeded they did so one after the other, and the first is the former one now.
  if (shown.length === 2 && stored.formerSecretSealed)
    expect(shown).toContain(admin().vault?.open(stored.formerSecretSealed, webhookId));
});

describe('the log of deliveries', () => {
  test('keeps each try with status, time and the beginning of the answer, whatever bytes it is', async () => {
    const answers = [
      { status: 503, body: `<script>alert(1)</script>\0${'x'.repeat(2_000)}` },
      { status: 500, body: Buffer.from([0xff, 0xfe, 0x00, 0x41]) },
      { status: 200, body: 'ok' },
    ];
    const receiver = await startReceiver(() => answers.shift() ?? { status: 204 });
    await createWebhook(admin(), { url: receiver.url, kinds: [] });
    const id = await tell();
    for (let each = 0; each < 3; each += 1) await deliver(id);
    const delivery = await readDelivery(admin(), id);
    expect(delivery.attemptList.map(({ status, problem }) => [status, problem])).toEqual([
      [200, ''],
      [500, 'The receiver answered 500.'],
      [503, 'The receiver answered 503.'],
    ]);
    const excerpt = delivery.attemptList[2]?.excerpt ?? '';
    expect(excerpt).toHaveLength(500);
    expect(excerpt).toMatch(/^<script>alert\(1\)<\/script>\uFFFD/);
    expect(delivery.body).toBe(receiver.received[0]?.body);
    expect(delivery.attemptList.every((each) => each.tookMs >= 0)).toBe(true);
  });

  test('a second worker with the same message stores no second try', async () => {
    const receiver = await startReceiver(() => ({ status: 500 }));
    await createWebhook(admin(), { url: receiver.url, kinds: [] });
    const id = await tell();
    await Promise.all([deliver(id), deliver(id)]);
    expect(await messageOf(id)).toMatchObject({ attempts: 1 });
    expect((await readDelivery(admin(), id)).attemptList).toHaveLength(1);
  });

  test('an address of a private network is not reached, and the log says only that', async () => {
    const receiver = await startReceiver(() => ({ status: 204, body: 'inside' }));
    await createWebhook(admin(), { url: receiver.url, kinds: [] });
    const id = await tell();
    const strict = openServices(
      { smtpUrl: null, mailFrom: 'x@example.test', allowLoopbackMetadata: false },
      { historyUrl: database.urls.gate, log },
    );
    await deliverMessage(system(), { id }, strict);
    expect(receiver.received).toEqual([]);
    expect((await readDelivery(admin(), id)).attemptList).toMatchObject([
      { status: null, problem: 'Not reached: url not allowed.', excerpt: '' },
    ]);
  });

  test('is not for owners and approvers', async () => {
    await createWebhook(admin(), { url: 'https://example.test/hook', kinds: [] });
    const id = await tell();
    for (const role of ['owner', 'approver'] as const) {
      await expect(
        readDelivery(testCtx(database.db, personActor('per_x', [role])), id),
      ).rejects.toMatchObject({ code: 'forbidden' });
    }
  });
});

describe('addresses a webhook is never sent to (T71)', () => {
  const strict = () =>
    openServices(
      { smtpUrl: null, mailFrom: 'x@example.test', allowLoopbackMetadata: false },
      { historyUrl: database.urls.gate, log },
    );
  test('private, local, shared, mapped, tunnelled and metadata addresses in each of their spellings', async () => {
    const { webhookId } = await createWebhook(admin(), { url: 'https://example.test/hook', kinds: [] });
    for (const url of [
      'https://127.0.0.1/',
      'https://10.0.0.1/',
      'https://192.168.1.1/',
      'https://172.16.0.1/',
      'https://100.64.0.1/',
      'https://169.254.169.254/',
      'https://168.63.129.16/',
      'https://0.0.0.0/',
      'https://[::1]/',
      'https://[fd00:ec2::254]/',
      'https://[fe80::1]/',
      'https://[::ffff:10.0.0.1]/',
      'https://[64:ff9b::a00:1]/',
      'https://[2002:a00:1::]/',
      'https://8.8.8.8:22/',
      'http://8.8.8.8/',
    ]) {
      // As the browser writes it: other spellings of the address are refused when the webhook is made.
      await editWebhook(admin(), { webhookId, url: new URL(url).href });
      const id = await tell();
      await deliverMessage(system(), { id }, strict());
      expect((await messageOf(id)).lastError, url).toMatch(
        /^Not reached: (?:address|port|url) not allowed\.$/,
      );
    }
  });

  test.each([
    ['in one number', 'https://2130706433/'],
    ['in hexadecimal', 'https://0x7f000001/'],
    ['in octal', 'https://0177.0.0.1/'],
    ['with a user name', 'https://user:secret@example.test/'],
    ['with a fragment', 'https://example.test/#x'],
    ['of another scheme', 'ftp://example.test/'],
    ['of a script', 'javascript:alert(1)'],
  ])('one written %s is refused at once', async (_how, url) => {
    await expect(createWebhook(admin(), { url, kinds: [] })).rejects.toThrow();
  });
});

describe('sending again', () => {
  const span = (webhookId: string, more: object = {}) =>
    replayDeliveriesInput.parse({
      webhookId,
      from: new Date(clock.now().getTime() - 3_600_000).toISOString(),
      until: new Date(clock.now().getTime() + 3_600_000).toISOString(),
      ...more,
    });

  test('a span of failed messages is sent again under their own ids, oldest first; delivered ones only when asked', async () => {
    let status = 410;
    const receiver = await startReceiver(() => ({ status }));
    const { webhookId } = await createWebhook(admin(), { url: receiver.url, kinds: [] });
    const failed = [await tell(), await tell()];
    for (const id of failed) await deliver(id);
    status = 204;
    const delivered = await tell();
    await deliver(delivered);
    receiver.received.length = 0;
    expect(await replayDeliveries(admin(), span(webhookId))).toEqual({ sent: 2, left: false });
    for (const id of failed) await deliver(id);
    expect(receiver.received.map((call) => call.headers['webhook-id'])).toEqual(failed);
    await expect(replayDeliveries(admin(), span(webhookId))).rejects.toMatchObject({ code: 'conflict' });
    expect(await replayDeliveries(admin(), span(webhookId, { which: 'all' }))).toEqual({
      sent: 3,
      left: false,
    });
    expect((await eventsOf(webhookId)).map(([kind]) => kind)).toEqual([
      'webhook.create',
      'webhook.replay',
      'webhook.replay',
    ]);
  });

  test('two at once send each message once', async () => {
    const receiver = await startReceiver(() => ({ status: 410 }));
    const { webhookId } = await createWebhook(admin(), { url: receiver.url, kinds: [] });
    await deliver(await tell());
    const both = await Promise.allSettled([
      replayDeliveries(admin(), span(webhookId)),
      replayDeliveries(admin(), span(webhookId)),
    ]);
    expect(both.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((each) => each.status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } });
  });

  test('a span outside finds nothing, and another webhook’s messages are left alone', async () => {
    const receiver = await startReceiver(() => ({ status: 410 }));
    await createWebhook(admin(), { url: receiver.url, kinds: [] });
    const id = await tell();
    await deliver(id);
    const { webhookId: other } = await createWebhook(admin(), { url: receiver.url, kinds: [] });
    await expect(replayDeliveries(admin(), span(other))).rejects.toMatchObject({ code: 'conflict' });
    expect((await messageOf(id)).failedAt).not.toBeNull();
  });
});

test('a test is a message like any other, and not many wait at once', async () => {
  const receiver = await startReceiver(() => ({ status: 204 }));
  const { webhookId, secret } = await createWebhook(admin(), {
    url: receiver.url,
    kinds: ['request.reject'],
  });
  const { messageId } = await testWebhook(admin(), { webhookId });
  await deliver(messageId);
  const [call] = receiver.received;
  expect(new Webhook(secret).verify(call?.body ?? '', call?.headers ?? {})).toMatchObject({
    type: 'webhook.test',
  });
  for (let each = 0; each < 5; each += 1) await testWebhook(admin(), { webhookId });
  await expect(testWebhook(admin(), { webhookId })).rejects.toMatchObject({ code: 'limit_exceeded' });
});
