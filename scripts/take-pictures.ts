import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Browser, Page } from '@playwright/test';
import { launchBrowser } from '#tests/browser.ts';

/**
 * Takes the pictures of the README from a running demo, in a real Chromium, light and dark:
 *
 *   node scripts/take-pictures.ts http://countersign.localhost:3000 http://localhost:3000 [name …]
 *
 * A client registers for the picture of the claim page; nothing else is changed.
 */

const [consoleOrigin, issuer, ...only] = process.argv.slice(2);
if (!consoleOrigin || !issuer) {
  console.error('usage: node scripts/take-pictures.ts <console origin> <issuer> [name …]');
  process.exit(2);
}

const folder = path.join(import.meta.dirname, '../docs/pictures');
const viewport = { width: 1280, height: 900 };
const patienceMs = 90_000;

type Picture = { name: string; as: string; open(page: Page): Promise<void> };

const pictures: readonly Picture[] = [
  {
    name: 'claim',
    as: 'Olive',
    async open(page) {
      await page.goto(await authorizationUrl());
      await page.getByRole('heading', { level: 1 }).waitFor();
    },
  },
  {
    name: 'review',
    as: 'Ava',
    async open(page) {
      await page.goto(`${consoleOrigin}/review`);
      await page.locator('a[href^="/review/"]').first().click();
      await page.waitForURL(/\/review\/./);
    },
  },
  {
    name: 'receipt',
    as: 'Audrey',
    async open(page) {
      await page.goto(`${consoleOrigin}/revocations`);
      await page.locator('a[href^="/revocations/"]').first().click();
      await page.waitForURL(/\/revocations\/./);
    },
  },
  {
    name: 'audit',
    as: 'Audrey',
    async open(page) {
      await page.goto(`${consoleOrigin}/audit`);
    },
  },
];

/** What an unmodified MCP client does first: it registers, then sends its person's browser here. */
async function authorizationUrl(): Promise<string> {
  const redirectUri = 'http://127.0.0.1:43117/callback';
  const registered = await fetch(`${issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Claude Code',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    }),
  });
  if (registered.status !== 201) throw new Error(`registration answered ${registered.status}`);
  const { client_id } = (await registered.json()) as { client_id: string };
  const url = new URL(`${issuer}/authorize`);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id,
    redirect_uri: redirectUri,
    resource: await firstResource(),
    state: randomBytes(16).toString('base64url'),
    code_challenge: createHash('sha256').update(randomBytes(32)).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString();
  return url.href;
}

/** The examples' guard listens on the port after the product's. */
async function firstResource(): Promise<string> {
  const port = Number(new URL(issuer ?? '').port) + 1;
  return `http://127.0.0.1:${port}/mcp`;
}

async function take(browser: Browser, picture: Picture, colorScheme: 'light' | 'dark'): Promise<void> {
  const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
  context.setDefaultTimeout(patienceMs);
  const page = await context.newPage();
  await page.goto(`${consoleOrigin}/demo`);
  await page.getByRole('button', { name: `Continue as ${picture.as}` }).click();
  await page.waitForURL((url) => url.pathname !== '/demo');
  await picture.open(page);
  await page.waitForLoadState('load');
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(1_500);
  await page.screenshot({ path: path.join(folder, `${picture.name}-${colorScheme}.png`) });
  await context.close();
  console.log(`${picture.name}-${colorScheme}.png`);
}

await mkdir(folder, { recursive: true });
const browser = await launchBrowser();
try {
  for (const picture of pictures) {
    if (only.length > 0 && !only.includes(picture.name)) continue;
    for (const scheme of ['light', 'dark'] as const) await take(browser, picture, scheme);
  }
} finally {
  await browser.close();
}
