import { request } from 'node:http';
import type { Browser, Page } from '@playwright/test';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser } from '../../tests/browser.ts';
import { type Product, startProduct } from '../../tests/product.ts';

/** Signing in and the console's pages as a browser, a script and an attacker meet them over HTTP. */

const password = 'canary horse wrong staple';
let product: Product;
let browser: Browser;
let port: number;
let host: string;
/** A session cookie each, as `name=value`. */
const cookies: Record<'adam' | 'olive', string> = { adam: '', olive: '' };

type Answer = { status: number; headers: Record<string, string | string[] | undefined>; text: string };
type Options = { method?: string; headers?: Record<string, string>; body?: string };

function ask(path: string, { method = 'GET', headers = {}, body }: Options = {}) {
  return new Promise<Answer>((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, path, method, headers: { host, ...headers }, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function signIn(fields: Record<string, string>, headers: Record<string, string> = {}) {
  return ask('/api/auth/callback/credentials', {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      origin: product.consoleOrigin,
      ...headers,
    },
    body: new URLSearchParams(fields).toString(),
  });
}

function sessionCookie(answer: Answer): string | null {
  const set = ([] as string[]).concat(answer.headers['set-cookie'] ?? []);
  return set.find((cookie) => cookie.startsWith('countersign='))?.split(';')[0] ?? null;
}

async function enrol(page: Page, link: string, email: string | null, name: string): Promise<void> {
  await page.goto(link);
  if (email) await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Name', { exact: false }).first().fill(name);
  await page.locator('input[name=password]').fill(password);
  await page.locator('input[name=repeated]').fill(password);
  await page.getByRole('button', { name: /sign in$/ }).click();
  await page.waitForURL((url) => url.pathname !== '/enrol');
}

beforeAll(async () => {
  product = await startProduct();
  ({ port } = product);
  host = new URL(product.consoleOrigin).host;
  browser = await launchBrowser();
  const admin = await browser.newPage();
  await enrol(admin, product.enrolLink as string, 'adam@example.test', 'Adam');
  await admin.goto(`${product.consoleOrigin}/people`);
  await admin.getByRole('button', { name: 'Invite' }).click();
  await admin.getByLabel('E-mail address').fill('olive@example.test');
  await admin.getByRole('button', { name: 'Make the link' }).click();
  await admin.getByText('The link is ready').waitFor();
  const link = /http\S+\/enrol#[\w-]{43}/.exec(
    (await admin.getByRole('dialog').textContent()) ?? '',
  )?.[0] as string;
  const owner = await (await browser.newContext()).newPage();
  await enrol(owner, link, null, 'Olive');
  for (const name of ['adam', 'olive'] as const) {
    cookies[name] = sessionCookie(await signIn({ email: `${name}@example.test`, password })) as string;
  }
}, 240_000);
afterAll(async () => {
  await browser?.close();
  await product?.stop();
});

describe('signing in', () => {
  test('with a form leads on by 303, so that the password is not sent again', async () => {
    const answer = await signIn({ email: 'olive@example.test', password, callbackUrl: '/requests' });
    expect([answer.status, answer.headers.location]).toEqual([303, '/requests']);
    expect(answer.headers['cache-control']).toBe('no-store');
    const set = ([] as string[]).concat(answer.headers['set-cookie'] ?? []);
    expect(set).toHaveLength(1);
    expect(set[0]).toMatch(/^countersign=[\w-]{43}; Path=\/; Expires=[^;]+; HttpOnly; SameSite=lax$/i);
    expect(set[0]).not.toMatch(/domain=/i);
  });

  test('answers a wrong password, an unknown address and an empty form alike', async () => {
    const answers = await Promise.all(
      [
        { email: 'olive@example.test', password: 'wrong' },
        { email: 'nobody@example.test', password },
        { email: '', password: '' },
        { email: 'x'.repeat(400), password: 'y'.repeat(4_000) },
      ].map((fields) => signIn(fields, { accept: 'application/json' })),
    );
    for (const answer of answers) {
      expect([answer.status, answer.text]).toEqual([401, '{"error":"credentials"}']);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });

  test.each([
    [{ origin: 'https://evil.example' }],
    [{ origin: 'null' }],
    [{ origin: '' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
  ])('from another origin is refused: %j', async (headers) => {
    const answer = await signIn({ email: 'olive@example.test', password }, headers as Record<string, string>);
    expect([answer.status, sessionCookie(answer)]).toEqual([403, null]);
  });

  test.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/%2f%2fevil.example',
    '/.//evil.example',
    'https:evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
  ])('never leads to %j', async (callbackUrl) => {
    const answer = await signIn({ email: 'olive@example.test', password, callbackUrl });
    expect([answer.status, answer.headers.location]).toEqual([303, '/']);
    const page = await ask(`/sign-in?to=${encodeURIComponent(callbackUrl)}`, {
      headers: { cookie: cookies.olive },
    });
    expect(page.text).not.toContain('url=https://evil');
    expect(page.headers.location ?? '/').toBe('/');
  });

  test('gives a new session, and the one planted before is dead', async () => {
    const planted = sessionCookie(await signIn({ email: 'olive@example.test', password })) as string;
    const fresh = sessionCookie(
      await signIn({ email: 'adam@example.test', password }, { cookie: planted }),
    ) as string;
    expect(fresh).not.toBe(planted);
    expect((await ask('/api/v1/me', { headers: { cookie: planted } })).status).toBe(401);
    expect((await ask('/api/v1/me', { headers: { cookie: fresh } })).text).toContain('adam@example.test');
    expect(
      (
        await ask('/api/v1/me', {
          headers: { cookie: 'countersign=chosen-by-an-attacker-000000000000000000' },
        })
      ).status,
    ).toBe(401);
  });

  test('guessing is slowed down and says for how long', async () => {
    const answers: Answer[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      answers.push(
        await signIn(
          { email: 'guessed@example.test', password: `guess ${attempt}` },
          { accept: 'application/json' },
        ),
      );
    }
    expect(answers.at(-1)?.status).toBe(429);
    expect(Number(answers.at(-1)?.headers['retry-after'])).toBeGreaterThan(0);
  });

  test('leaves nothing of the library it uses in the browser', async () => {
    for (const path of [
      '/api/auth/session',
      '/api/auth/csrf',
      '/api/auth/providers',
      '/api/auth/callback/credentials',
    ]) {
      const answer = await ask(path);
      expect([path, answer.status, answer.headers['set-cookie']]).toEqual([path, 404, undefined]);
    }
  });

  test('signing out ends the session for every copy of its cookie', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${product.consoleOrigin}/sign-in`);
    await page.getByLabel('E-mail address').fill('olive@example.test');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL((url) => url.pathname !== '/sign-in');
    const [cookie] = await context.cookies();
    const copy = `${cookie?.name}=${cookie?.value}`;
    expect((await ask('/api/v1/me', { headers: { cookie: copy } })).status).toBe(200);
    await page.goto(`${product.consoleOrigin}/sign-out`);
    expect((await ask('/api/v1/me', { headers: { cookie: copy } })).status).toBe(200);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out').waitFor();
    expect(await context.cookies()).toEqual([]);
    expect((await ask('/api/v1/me', { headers: { cookie: copy } })).status).toBe(401);
    await context.close();
  });
});

test('somebody invited without a role is told whom to ask', async () => {
  const admin = await browser.newContext();
  await admin.addCookies([
    { name: 'countersign', value: cookies.adam.slice('countersign='.length), url: product.consoleOrigin },
  ]);
  const page = await admin.newPage();
  await page.goto(`${product.consoleOrigin}/people`);
  await page.getByRole('button', { name: 'Invite' }).click();
  await page.getByLabel('E-mail address').fill('nora@example.test');
  await page.getByRole('checkbox', { name: /^Owner/ }).click();
  await page.getByRole('button', { name: 'Make the link' }).click();
  await page.getByText('The link is ready').waitFor();
  const shown = (await page.getByRole('dialog').textContent()) ?? '';
  const guest = await browser.newContext();
  const newcomer = await guest.newPage();
  await enrol(newcomer, /http\S+\/enrol#[\w-]{43}/.exec(shown)?.[0] as string, null, 'Nora');
  await newcomer.getByRole('heading', { name: 'You have no role yet' }).waitFor();
  expect(await newcomer.getByRole('list', { name: 'Admins' }).textContent()).toContain('Adam');
  await Promise.all([admin.close(), guest.close()]);
});

describe('a page', () => {
  test.each(['/people', '/audit', '/settings/tokens', '/review'])(
    '%s sends strangers to sign in and back',
    async (path) => {
      const answer = await ask(path);
      expect([307, 303]).toContain(answer.status);
      expect(answer.headers.location).toBe(`/sign-in?to=${encodeURIComponent(path)}`);
    },
  );

  test.each([{ rsc: '1' }, { rsc: '1', 'next-router-prefetch': '1' }, { purpose: 'prefetch' }, {}])(
    'for admins shows an owner no row of it, asked with %j',
    async (given) => {
      const headers = given as Record<string, string>;
      for (const path of ['/people', '/people?_rsc=abc', '/people/groups']) {
        const foreign = await ask(path, { headers: { ...headers, cookie: cookies.olive } });
        expect(foreign.text).not.toContain('adam@example.test');
        const own = await ask(path, { headers: { ...headers, cookie: cookies.adam } });
        expect(own.headers['cache-control']).toMatch(/no-store/);
      }
    },
  );

  test('says which role is missing and who can grant it', async () => {
    const answer = await ask('/people', { headers: { cookie: cookies.olive } });
    expect(answer.status).toBe(403);
    expect(answer.text).toMatch(/admin or auditor/);
    expect(answer.text).toContain('Adam');
  });

  test.each([
    { 'x-middleware-subrequest': 'middleware:middleware:middleware:middleware:middleware' },
    { 'x-middleware-subrequest': 'proxy:proxy:proxy:proxy:proxy' },
    {
      'x-countersign-viewer': Buffer.from(JSON.stringify({ kind: 'person', roles: ['admin'] })).toString(
        'base64url',
      ),
    },
    { 'x-countersign-start': 'guessed' },
    { 'x-nextjs-data': '1' },
    { 'x-forwarded-host': 'evil.example' },
  ])('is not opened by the header %j', async (headers) => {
    const answer = await ask('/people', { headers: headers as unknown as Record<string, string> });
    expect([303, 307]).toContain(answer.status);
    expect(answer.headers.location).toBe('/sign-in?to=%2Fpeople');
  });

  test('forbids framing, sniffing and foreign script', async () => {
    for (const path of ['/sign-in', '/people', '/nothing']) {
      const { headers } = await ask(path, { headers: { cookie: cookies.adam } });
      expect(headers['content-security-policy']).toMatch(/frame-ancestors 'none'/);
      expect(headers['content-security-policy']).toMatch(/script-src 'nonce-[^']+' 'strict-dynamic'/);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['referrer-policy']).toBe('same-origin');
      expect(headers).not.toHaveProperty('x-powered-by');
      expect(headers).not.toHaveProperty('server');
    }
  });

  test.each([
    ['a script', '<script>canary()</script>'],
    ['an image', '"><img src=x onerror=canary()>'],
    ['10 KB', 'a'.repeat(10_000)],
  ])('reflects %s as text or not at all', async (_name, text) => {
    const answer = await ask(
      `/sign-in?error=${encodeURIComponent(text)}&to=${encodeURIComponent(`/${text}`)}`,
    );
    expect(answer.status).toBeLessThan(500);
    expect(answer.text).not.toContain('<script>canary');
    expect(answer.text).not.toContain('<img src=x');
  });

  test('64 KB of parameters are refused by their size', async () => {
    // The answer may be lost when the server closes while the client still writes.
    const refused = await ask(`/sign-in?to=${'a'.repeat(64 * 1024)}`).catch((error) => error.code);
    expect(refused.status ?? refused).toSatisfy(
      (seen) => seen === 431 || seen === 'ECONNRESET' || seen === 'EPIPE',
    );
  });

  test.each(['/sign-in', '/people', '/api/auth/callback/credentials', '/enrol'])(
    'answers a forged action on %s without failing or leaking',
    async (path) => {
      const bodies: [string, string][] = [
        ['text/plain;charset=UTF-8', '[{"then":"$1:__proto__:then","status":"resolved_model","value":"{}"}]'],
        [
          'multipart/form-data; boundary=x',
          '--x\r\nContent-Disposition: form-data; name="0"\r\n\r\n["$F1"]\r\n--x--\r\n',
        ],
        ['application/json', '{"__proto__":{"admin":true}}'],
      ];
      for (const [type, body] of bodies) {
        for (const id of ['0', '$ACTION_ID_0', 'a'.repeat(42)]) {
          const answer = await ask(path, {
            method: 'POST',
            headers: {
              'content-type': type,
              'next-action': id,
              origin: product.consoleOrigin,
              cookie: cookies.olive,
            },
            body,
          });
          expect(answer.text).not.toMatch(/node_modules|at \w+ \(|\/work\//);
        }
      }
      expect((await ask('/healthz')).status).toBe(200);
    },
  );
});

describe('the host name', () => {
  test.each(['evil.example', 'countersign.localhost.evil.example', 'xcountersign.localhost', '127.0.0.1'])(
    '%s reaches no page',
    async (name) => {
      const answer = await ask('/sign-in', { headers: { host: name } });
      expect(answer.status).toBe(421);
    },
  );
  test('of the issuer has no sign-in and sets no cookie', async () => {
    for (const path of ['/sign-in', '/people', '/api/auth/callback/credentials', '/']) {
      const answer = await ask(path, {
        headers: { host: new URL(product.issuer).host, cookie: cookies.adam },
      });
      expect([404, 405]).toContain(answer.status);
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });
});

test('no password, token or link of all this is in what the product printed', async () => {
  const context = await browser.newContext();
  await context.addCookies([
    { name: 'countersign', value: cookies.olive.slice('countersign='.length), url: product.consoleOrigin },
  ]);
  const page = await context.newPage();
  await page.goto(`${product.consoleOrigin}/settings/tokens`);
  await page.getByRole('button', { name: 'New token' }).click();
  await page.getByLabel('What will use it').fill('canary');
  await page.getByRole('button', { name: 'Make token' }).click();
  await page.getByText('Store it now').waitFor();
  const token = /cs_\w{46}/.exec((await page.getByRole('dialog').textContent()) ?? '')?.[0] as string;
  expect(token).toBeDefined();
  const me = await ask('/api/v1/me', { headers: { authorization: `Bearer ${token}` } });
  expect(me.text).toContain('Olive');
  const again = await ask('/settings/tokens', { headers: { cookie: cookies.olive } });
  expect(again.text).not.toContain(token);
  const printed = product.output().replace(product.enrolLink as string, '');
  for (const secret of [
    password,
    token,
    cookies.adam.split('=')[1] as string,
    cookies.olive.split('=')[1] as string,
  ]) {
    expect(printed).not.toContain(secret);
  }
  await context.close();
});

test.each([
  [{ NEXTAUTH_SECRET: 'secret' }, /NEXTAUTH_SECRET/],
  [{ NEXTAUTH_SECRET: 'a'.repeat(40) }, /NEXTAUTH_SECRET/],
  [{ COUNTERSIGN_KEY_ENCRYPTION_KEY: Buffer.alloc(32).toString('base64') }, /COUNTERSIGN_KEY_ENCRYPTION_KEY/],
  [{ COUNTERSIGN_CONSOLE_ORIGIN: 'http://localhost:4999' }, /another host/],
  [{ COUNTERSIGN_ISSUER: 'http://auth.example.com' }, /https/],
])('a start with %j is refused by name, without repeating the value', async (environment, named) => {
  const start = startProduct({ environment: environment as unknown as Record<string, string> });
  await expect(start).rejects.toThrow(named);
});
