import { expect, test } from 'vitest';
import { createLogger } from './log.ts';

function written(write: (log: ReturnType<typeof createLogger>) => void): string {
  let text = '';
  const collect = (line: string) => {
    text += line;
  };
  const log = createLogger({ level: 'info' }, { write: collect });
  write(log);
  return text;
}

const token = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ3QifQ.c2lnbmF0dXJl';

test.each([
  ['a member by its wire name', { body: { client_secret: 'hunter2' } }],
  ['a header', { headers: { Authorization: 'Bearer hunter2hunter2', cookie: 'session=hunter2' } }],
  ['a camel-case member deep inside', { a: { b: [{ refreshToken: 'hunter2' }] } }],
  [
    'the password in a connection string',
    { msg2: 'cannot connect to postgresql://gate:hunter2@db/countersign' },
  ],
  ['a code in a URL', { url: '/callback?code=hunter2&state=hunter2' }],
  ['a bearer token inside a text', { note: 'sent Bearer hunter2hunter2 to upstream' }],
  ['a private key', { pem: '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----' }],
])('hides %s', (_title, object) => {
  const text = written((log) => log.info(object, 'happened'));
  expect(text).toContain('happened');
  expect(text).not.toContain('hunter2');
});

test('hides a token in an error, its cause and its message', () => {
  const error = new Error(`refused ${token}`, { cause: new Error(`because ${token}`) });
  const text = written((log) => {
    log.error(error);
    log.error({ err: error, traceId: 'trc_1' }, 'failed with %s', token);
  });
  expect(text).not.toContain(token);
  expect(text).toContain('trc_1');
  expect(text).toContain('because');
});

test('keeps what an operator needs: ids, digests, status and error codes', () => {
  const text = written((log) =>
    log.info({
      tokenDigest: 'sha256:abc',
      clientId: 'client_1',
      status: 503,
      err: Object.assign(new Error('x'), { code: '40001' }),
    }),
  );
  expect(JSON.parse(text)).toMatchObject({
    level: 'info',
    tokenDigest: 'sha256:abc',
    clientId: 'client_1',
    status: 503,
    err: { reason: '40001' },
  });
});

test('a value that refers to itself and a very long text stay bounded', () => {
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  const text = written((log) => log.info({ loop, long: 'x'.repeat(100_000) }));
  expect(text.length).toBeLessThan(6_000);
});
