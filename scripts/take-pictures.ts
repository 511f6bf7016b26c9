import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Browser, Page } from '@playwright/test';
import { launchBrowser } from '#tests/browser.ts';
import { openReview, revokeAgent } from '../e2e/journeys/support/acts.ts';
import { startMcpClient } from '../e2e/journeys/support/mcp-client.ts';

/**
 * Takes the pictures of the README from a running demo, in a real Chromium, light and dark, while a real MCP client
 * goes the whole way: it is claimed by Olive, narrowed and approved by Ava, calls, is revoked and refused.
 *
 *   node scripts/take-pictures.ts 3000
 */

const port = Number(process.argv[2] ?? 3000);
const consoleOrigin = `http://countersign.localhost:${port}`;
const notes = `http://127.0.0.1:${port + 1}/mcp`;
const folder = path.join(import.meta.dirname, '../docs/pictures');
const patienceMs = 120_000;
const agentName = 'Meeting notes helper';

async function visit(browser: Browser, name: string): Promise<Page> {
  const context = await browser.newContext({
    baseURL: consoleOrigin,
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(patienceMs);
  const page = await context.newPage();
  await page.goto('/demo');
  await page.getByRole('button', { name: `Continue as ${name}` }).click();
  await page.waitForURL((url) => url.pathname !== '/demo');
  return page;
}

async function take(page: Page, name: string): Promise<void> {
  await page.waitForLoadState('load');
  await page.evaluate(() => window.scrollTo(0, 0));
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(() => document.fonts.ready);
    await page.waitForTimeout(800);
    await page.screenshot({ path: path.join(folder, `${name}-${colorScheme}.png`) });
    console.log(`${name}-${colorScheme}.png`);
  }
}

async function tell(browser: Browser): Promise<void> {
  const olive = await visit(browser, 'Olive');
  const client = await startMcpClient({ sdk: '2.x', url: notes, clientName: 'Claude Code', page: olive });
  const connected = client.connect();
  connected.catch(() => undefined);
  await olive.waitForURL('**/claim**');
  await olive.getByRole('textbox', { name: /^Call it/ }).fill(agentName);
  await olive
    .getByRole('textbox', { name: /^What will it do\?/ })
    .fill('Keep the meeting notes tidy while I work.');
  await olive.getByRole('textbox', { name: /^Done when/ }).fill('The notes of this quarter are in order');
  for (const tool of ['list_notes', 'read_note', 'write_note'])
    await olive.getByRole('checkbox', { name: tool, exact: true }).click();
  await olive
    .getByRole('textbox', { name: 'Why write_note is needed' })
    .fill('It corrects headings and dates.');
  await take(olive, 'claim');
  await olive.getByRole('button', { name: 'Ask for approval' }).click();
  await olive.waitForURL('**/waiting/**');

  const ava = await visit(browser, 'Ava');
  await openReview(ava, agentName);
  await ava.getByRole('checkbox', { name: 'Keep write_note' }).click();
  await take(ava, 'review');
  await ava.getByRole('button', { name: /^Approve narrowed/ }).click();
  const decision = ava.getByRole('dialog');
  await decision.getByRole('textbox', { name: /Why less than asked/ }).fill('Reading is enough for a start.');
  await decision.getByRole('button', { name: /^Approve narrowed/ }).click();
  await connected;
  console.log('tools:', (await client.listTools()).join(', '));
  console.log('list_notes:', (await client.callTool('list_notes', {})).text.slice(0, 80));
  console.log('write_note:', (await client.callTool('write_note', { name: 'today', text: 'Hello' })).text);

  await revokeAgent(ava, agentName);
  await client.callTool('list_notes', {}).then(
    () => console.log('the call after the stop was NOT refused'),
    (error: Error) => console.log('after the stop:', error.message.slice(0, 160)),
  );
  await ava.getByText('Closed', { exact: true }).first().waitFor();
  await take(ava, 'receipt');
  await client.close();

  const audrey = await visit(browser, 'Audrey');
  await audrey.goto(`/audit?q=${encodeURIComponent(agentName)}`);
  await audrey.getByRole('table', { name: 'Events' }).waitFor();
  await take(audrey, 'audit');
}

await mkdir(folder, { recursive: true });
const browser = await launchBrowser();
try {
  await tell(browser);
} finally {
  await browser.close();
}
