import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Role } from '#lib/platform/actor.ts';
import { randomToken, sha256 } from '#lib/platform/crypto.ts';
import { newId } from '#lib/platform/ids.ts';
import { startTestGate, type TestGate } from '../../tests/gate.ts';
import { addPerson } from '../../tests/people.ts';
import { sessionCookieName } from '../session-cookie.ts';

let gate: TestGate;
let open: ClientRequest[] = [];

beforeAll(async () => {
  gate = await startTestGate(4801);
});
afterEach(() => {
  for (const stream of open) stream.destroy();
  open = [];
});
afterAll(() => gate.close());

async function signIn(name: string, roles: readonly Role[]) {
  const person = await addPerson(gate.database.db, name, roles);
  const token = randomToken();
  const sessionId = newId('session');
  const now = new Date();
  await gate.database.db.prisma.personSession.create({
    data: {
      id: sessionId,
      tokenDigest: sha256(token),
      personId: person.personId,
      authMethod: 'password',
      authnAt: now,
      elevatedAt: null,
      createdAt: now,
      lastSeenAt: now,
      expiresAt: new Date(now.getTime() + 3_600_000),
    },
  });
  return { ...person, sessionId, cookie: `${sessionCookieName(gate.consoleOrigin)}=${token}` };
}

type Stream = { status: number; type: string; text: () => string; ended: () => boolean };

function listen(cookie: string, host = new URL(gate.consoleOrigin).host): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: gate.running.port,
        path: '/api/v1/live',
        headers: { host, cookie },
        agent: false,
      },
      (answer: IncomingMessage) => {
        let text = '';
        let ended = false;
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8');
        });
        answer.on('end', () => {
          ended = true;
        });
        answer.on('error', () => undefined);
        resolve({
          status: answer.statusCode ?? 0,
          type: String(answer.headers['content-type']),
          text: () => text,
          ended: () => ended,
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
    open.push(outgoing);
  });
}

const change = (topic: string, id: string) =>
  gate.database.db.hot.query(`SELECT pg_notify('countersign_change', $1)`, [JSON.stringify({ topic, id })]);

test('a change reaches every tab: with its id for who sees all, the topic alone for owners', async () => {
  const ava = await signIn('ava', ['approver']);
  const olive = await signIn('olive', ['owner']);
  const [atAva, atOlive] = [await listen(ava.cookie), await listen(olive.cookie)];
  expect(atAva).toMatchObject({ status: 200, type: 'text/event-stream; charset=utf-8' });
  await change('requests', 'req_1');
  await expect.poll(atAva.text).toContain('event: change\ndata: {"topic":"requests","id":"req_1"}\n\n');
  await expect.poll(atOlive.text).toContain('event: change\ndata: {"topic":"requests"}\n\n');
  expect(atOlive.text()).not.toContain('req_1');
});

test('a notification is news to its reader only', async () => {
  const abel = await signIn('abel', ['approver', 'admin']);
  const oscar = await signIn('oscar', ['owner']);
  const [atAbel, atOscar] = [await listen(abel.cookie), await listen(oscar.cookie)];
  await change('notifications', oscar.personId);
  await expect.poll(atOscar.text).toContain('data: {"topic":"notifications"}');
  await change('guards', 'grd_1');
  await expect.poll(atAbel.text).toContain('grd_1');
  expect(atAbel.text()).not.toContain('notifications');
});

test('the stream ends when the session does', async () => {
  const person = await signIn('leaver', ['owner']);
  const stream = await listen(person.cookie);
  expect(stream.status).toBe(200);
  await gate.database.db.prisma.personSession.update({
    where: { id: person.sessionId },
    data: { endedAt: new Date(), endCause: 'killed' },
  });
  await expect.poll(stream.ended, { timeout: 8_000 }).toBe(true);
});

test('nobody without a session listens, and nobody on the issuer’s host', async () => {
  const person = await signIn('wanderer', ['owner']);
  expect((await listen('')).status).toBe(401);
  expect((await listen(person.cookie, new URL(gate.issuer).host)).status).toBe(401);
});

test('a session holds a bounded number of streams', async () => {
  const person = await signIn('hoarder', ['owner']);
  const statuses: number[] = [];
  for (let tab = 0; tab < 9; tab++) statuses.push((await listen(person.cookie)).status);
  expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 200, 200, 429]);
  open[0]?.destroy();
  await expect.poll(async () => (await listen(person.cookie)).status, { interval: 200 }).toBe(200);
});
