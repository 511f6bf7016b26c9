import { mkdir, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Browser, type BrowserContext, test as base, expect, type Page } from '@playwright/test';
import { personas } from '#demo/personas.ts';
import { launchBrowser } from '../../../tests/browser.ts';
import { startProduct } from '../../../tests/product.ts';
import { type McpClient, startMcpClient } from './mcp-client.ts';

export { expect };

/** A product that runs with its people in it, and where to reach its parts. */
export type Town = {
  consoleOrigin: string;
  issuer: string;
  /** MCP endpoints of the example servers, each behind its guard. */
  servers: { notes: string; everything: string; files: string };
  /** What it printed, for the one who reads a failure. */
  output(): string;
};

/** A busy machine is slow; a person would have given up by then. */
const actionTimeoutMs = 30_000;

export type PersonaName = 'Olive' | 'Oscar' | 'Ava' | 'Abel' | 'Audrey' | 'Adam';

/** Opens a browser of its own for somebody, signed in; its windows must show no error but those named. */
export type Visit = (name: PersonaName | null, options?: VisitOptions) => Promise<Page>;
export type VisitOptions = {
  javaScriptEnabled?: boolean;
  colorScheme?: 'light' | 'dark';
  viewport?: { width: number; height: number };
  /** Messages of the browser's console that belong to the story. */
  expectedErrors?: readonly RegExp[];
  origin?: string;
};

type Shared = { chromium: Browser; town: Town };
type Own = {
  visit: Visit;
  connectClient: (
    options: Pick<Parameters<typeof startMcpClient>[0], 'sdk' | 'clientName' | 'page' | 'url'>,
  ) => Promise<McpClient>;
};

/**
 * Journeys share one product in demo mode, started as `npm run demo` starts it, and one browser. Each journey has
 * clients and agents of its own, under names nobody else uses. JOURNEY_PORT names a demo that runs already, for
 * somebody who works on one journey.
 */
export const test = base.extend<Own, Shared>({
  chromium: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads the fixtures a function needs from its pattern
    async ({}, use) => {
      const browser = await launchBrowser();
      await use(browser);
      await browser.close();
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  town: [
    // biome-ignore lint/correctness/noEmptyPattern: as above
    async ({}, use) => {
      const running = process.env.JOURNEY_PORT;
      if (running) {
        await use(townAt(Number(running), () => ''));
        return;
      }
      const environment = { COUNTERSIGN_EXAMPLES: '1', COUNTERSIGN_DEVICE_GRANT: '1' };
      const product = await startProduct({ args: ['--demo'], environment });
      await use(townAt(product.port, product.output));
      await product.stop();
      await mkdir(picturesFolder, { recursive: true });
      await writeFile(path.join(picturesFolder, `product-${product.port}.log`), product.output());
    },
    { scope: 'worker', timeout: 400_000 },
  ],
  visit: async ({ chromium, town }, use) => {
    const contexts: BrowserContext[] = [];
    const errors: string[] = [];
    await use(async (name, options = {}) => {
      const { origin = town.consoleOrigin, expectedErrors = [], viewport, ...rest } = options;
      const context = await chromium.newContext({
        ...rest,
        baseURL: origin,
        reducedMotion: 'reduce',
        viewport: viewport ?? { width: 1280, height: 900 },
      });
      context.setDefaultTimeout(actionTimeoutMs);
      contexts.push(context);
      const page = await context.newPage();
      watchErrors(page, name ?? 'somebody', expectedErrors, errors);
      if (name) await continueAs(page, name);
      return page;
    });
    await Promise.all(contexts.map((context) => context.close()));
    expect(errors, 'errors in the browser').toEqual([]);
  },
  connectClient: async ({ town: _ }, use) => {
    const clients: McpClient[] = [];
    await use(async (options) => {
      const client = await startMcpClient(options);
      clients.push(client);
      return client;
    });
    await Promise.all(clients.map((client) => client.close()));
  },
});

function townAt(port: number, output: () => string): Town {
  const endpoint = (offset: number) => `http://127.0.0.1:${port + offset}/mcp`;
  return {
    consoleOrigin: `http://countersign.localhost:${port}`,
    issuer: `http://localhost:${port}`,
    servers: { notes: endpoint(1), everything: endpoint(2), files: endpoint(3) },
    output,
  };
}

function watchErrors(page: Page, name: string, expected: readonly RegExp[], errors: string[]): void {
  const note = (text: string) => {
    if (expected.some((pattern) => pattern.test(text))) return;
    const at = URL.canParse(page.url()) ? new URL(page.url()).pathname : page.url();
    if (errors.length < 20) errors.push(`${name} at ${at}: ${text.slice(0, 400)}`);
  };
  page.on('console', (message) => {
    if (message.type() === 'error') note(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => note(error.stack ?? error.message));
}

/** The demo's way in: one click on a persona. */
export async function continueAs(page: Page, name: PersonaName): Promise<void> {
  await page.goto('/demo');
  await page.getByRole('button', { name: `Continue as ${name}` }).click();
  await page.waitForURL((url) => url.pathname !== '/demo');
}

/** The whole name of a persona, as the console shows it. */
export function fullName(name: PersonaName): string {
  const persona = personas.find(({ displayName }) => displayName.startsWith(`${name} `));
  if (!persona) throw new TypeError(`no persona ${name}`);
  return persona.displayName;
}

const picturesFolder = path.join(os.tmpdir(), 'countersign-journeys');

/** Keeps a picture of a screen for people to look at; nothing compares it. */
export async function picture(page: Page, name: string): Promise<void> {
  await mkdir(picturesFolder, { recursive: true });
  await page.screenshot({ path: path.join(picturesFolder, `${name}.png`), fullPage: true });
}

let names = 0;

/** A name no other journey uses, and none of an earlier run on the same product. */
export function uniqueName(stem: string): string {
  names += 1;
  return `${stem} ${Date.now().toString(36).slice(-5)}${names}`;
}
