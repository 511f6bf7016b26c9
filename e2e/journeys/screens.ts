import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from '@playwright/test';
import { expectAccessible, expectNoSidewaysScroll } from './support/accessibility.ts';
import {
  approveAsAsked,
  fileCarriedRequest,
  fileKeyedRequest,
  openReview,
  untilLive,
} from './support/acts.ts';
import { expect, type PersonaName, test, uniqueName, type Visit } from './support/journey.ts';

const consoleFolder = path.resolve(import.meta.dirname, '../../app/(console)');

/** Where a link to one of them is found, for screens about a single thing. */
const examples: Readonly<Record<string, { list: string; link: RegExp }>> = {
  '/agents/[id]': { list: '/agents', link: /^\/agents\/agt_[^/]+$/ },
  '/audit/[id]': { list: '/audit', link: /^\/audit\/evt_[^/]+$/ },
  '/clients/[id]': { list: '/clients', link: /^\/clients\/[^/?]+$/ },
  '/guards/[id]': { list: '/guards', link: /^\/guards\/grd_[^/]+$/ },
  '/notifications/messages/[id]': {
    list: '/notifications/messages',
    link: /^\/notifications\/messages\/out_[^/]+$/,
  },
  '/notifications/webhooks/[id]': {
    list: '/notifications/webhooks',
    link: /^\/notifications\/webhooks\/whk_[^/]+$/,
  },
  '/people/[id]': { list: '/people', link: /^\/people\/per_[^/]+$/ },
  '/requests/[id]': { list: '/requests', link: /^\/requests\/req_[^/]+$/ },
  '/review/[id]': { list: '/review?view=all', link: /^\/review\/req_[^/]+$/ },
  '/revocations/[id]': { list: '/revocations', link: /^\/revocations\/rvk_[^/]+$/ },
  '/servers/[id]': { list: '/servers', link: /^\/servers\/srv_[^/]+$/ },
  '/tool-sets/[id]': { list: '/tool-sets', link: /^\/tool-sets\/set_[^/]+$/ },
};

type Screen = { route: string; address: string };

async function routesIn(folder: string, prefix = ''): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const found = entries.some(({ name }) => name === 'page.tsx') ? [prefix || '/'] : [];
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    // A folder in brackets groups files; it is no part of the address.
    const below = entry.name.startsWith('(') ? prefix : `${prefix}/${entry.name}`;
    found.push(...(await routesIn(path.join(folder, entry.name), below)));
  }
  return found;
}

/** What only exists for a while is brought about: a request to edit, and a token that waits to be revealed. */
async function prepare(visit: Visit): Promise<Map<string, string>> {
  const olive = await visit('Olive');
  const agentName = uniqueName('Carried agent');
  await fileCarriedRequest(olive, { agentName, tools: { list_notes: null } });
  const carried = olive.url();
  await fileKeyedRequest(olive, { agentName: uniqueName('Editable agent'), tools: { list_notes: null } });
  const editable = new URL(olive.url()).pathname;
  const ava = await visit('Ava');
  await openReview(ava, agentName);
  await approveAsAsked(ava);
  await olive.goto(carried);
  const agent = await olive.getByRole('link', { name: 'Open agent' }).getAttribute('href');
  const adam = await visit('Adam');
  await adam.goto('/notifications/webhooks');
  await adam.getByRole('button', { name: 'Add webhook' }).click();
  await adam
    .getByRole('dialog')
    .getByRole('textbox', { name: /^Address/ })
    .fill('https://hooks.example.com/countersign');
  await adam.getByRole('dialog').getByRole('button', { name: 'Add webhook' }).click();
  await adam.getByRole('dialog').getByRole('button', { name: 'I have stored it' }).click();
  for (const page of [olive, ava, adam]) await page.context().close();
  return new Map([
    ['/requests/[id]/edit', `${editable}/edit`],
    ['/agents/[id]/lifeline', `${agent}/lifeline`],
    ['/agents/[id]/reveal', `${agent}/reveal`],
  ]);
}

/** The screens as addresses: those about one thing with the first one this person finds in its list. */
async function screensFor(
  page: Page,
  routes: readonly string[],
  prepared: ReadonlyMap<string, string>,
): Promise<Screen[]> {
  const screens: Screen[] = [];
  for (const route of routes) {
    const known = prepared.get(route) ?? (route.includes('[') ? null : route);
    if (known) {
      screens.push({ route, address: known });
      continue;
    }
    const example = examples[route];
    if (!example) throw new Error(`say in this file where a link to ${route} is found`);
    const answer = await page.goto(example.list);
    if (answer?.status() !== 200) continue;
    let href: string | undefined;
    const find = async () => {
      const links = page.getByRole('main').getByRole('link');
      const hrefs = await links.evaluateAll((all) => all.map((link) => link.getAttribute('href') ?? ''));
      href = hrefs.find((each) => example.link.test(each));
      return href !== undefined;
    };
    // Rows may arrive after the page; some people's lists have none.
    const wait = { timeout: 5_000 };
    await expect
      .poll(find, wait)
      .toBe(true)
      .catch(() => undefined);
    if (href) screens.push({ route, address: href });
  }
  return screens;
}

/** Screens whose accessibility was looked at already, by route: they are the same to everybody who may open them. */
const audited = new Set<string>();
let routes: readonly string[] = [];
let prepared: ReadonlyMap<string, string> = new Map();

// Each goes on from what the ones before looked at.
test.describe.configure({ mode: 'serial' });

for (const name of ['Ava', 'Olive', 'Adam', 'Audrey'] as const satisfies readonly PersonaName[]) {
  test(`${name} opens every screen there is: none shows an error, breaks accessibility in light or dark, or scrolls sideways on a phone`, async ({
    visit,
  }) => {
    test.setTimeout(300_000);
    if (routes.length === 0) {
      routes = (await routesIn(consoleFolder)).sort();
      prepared = await prepare(visit);
    }
    // What somebody may not see answers 403 or 404, which the browser notes.
    const first = await visit(name, { expectedErrors: [/status of 40[34]/] });
    const screens = await screensFor(first, routes, prepared);
    expect(screens.length).toBeGreaterThan(15);
    // Two windows: one waits for the server while the other is looked at.
    const second = await visit(name, { expectedErrors: [/status of 40[34]/] });
    const left = screens.values();
    await Promise.all(
      [first, second].map(async (page) => {
        for (const screen of left) await look(page, screen);
      }),
    );
  });
}

test('The tour left no screen out', () => {
  expect(routes.filter((route) => !audited.has(route))).toEqual([]);
});

async function look(page: Page, { route, address }: Screen): Promise<void> {
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: 'light' });
  const answer = await page.goto(address);
  expect.soft([200, 403, 404], address).toContain(answer?.status());
  await expect.soft(page.getByRole('heading', { level: 1 }), address).toBeVisible();
  if (answer?.status() !== 200 || audited.has(route)) {
    await expectNoSidewaysScroll(page, address);
    return;
  }
  audited.add(route);
  await untilLive(page);
  await expectAccessible(page, `screen${address.replaceAll(/[^a-z-]+/gi, '-')}`);
}
