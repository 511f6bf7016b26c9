import os from 'node:os';
import path from 'node:path';
import type { Page } from '@playwright/test';
import { expectAccessible, expectNoSidewaysScroll } from './support/accessibility.ts';
import { approveAsAsked, decisionDialog, fileKeyedRequest, openReview, untilLive } from './support/acts.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';

const palette = (page: Page) => page.getByRole('dialog', { name: 'Search and commands' });

async function openPalette(page: Page): Promise<void> {
  await page.keyboard.press('Control+k');
  await expect(palette(page).getByRole('combobox')).toBeFocused();
}

test('An approver goes from anywhere to a request by its pasted id and answers it, with the keyboard alone', async ({
  visit,
}) => {
  const olive = await visit('Olive');
  const agentName = uniqueName('Found agent');
  await fileKeyedRequest(olive, { agentName, tools: { list_notes: null } });
  const requestId = new URL(olive.url()).pathname.split('/').at(-1) as string;

  const ava = await visit('Ava');
  await untilLive(ava);
  const link = ava.getByRole('link', { name: 'Audit', exact: true });
  await link.focus();
  await openPalette(ava);
  await picture(ava, 'palette-empty');
  await ava.keyboard.press('Escape');
  await expect(palette(ava)).toBeHidden();
  await expect(link).toBeFocused();

  await openPalette(ava);
  await ava.keyboard.insertText(requestId);
  await ava.keyboard.press('Enter');
  await ava.waitForURL(`**/review/${requestId}`);
  await expect(ava.getByRole('heading', { level: 1 })).toContainText(agentName);

  // What can be done here comes first, and opens its dialog: nothing is decided by choosing it.
  await untilLive(ava);
  await openPalette(ava);
  await expect(palette(ava).getByRole('option').first()).toHaveText(/Approve as asked/);
  await picture(ava, 'palette-actions');
  await ava.keyboard.press('Enter');
  await expect(decisionDialog(ava)).toBeVisible();
  await ava.keyboard.press('Escape');
  await expect(decisionDialog(ava)).toBeHidden();

  // By words of the name, with the arrows.
  await openPalette(ava);
  await ava.keyboard.type(agentName.toLowerCase());
  const found = palette(ava).getByRole('option', { name: agentName });
  await expect(found.first()).toBeVisible();
  await expectAccessible(ava, 'palette-found');
  await ava.setViewportSize({ width: 1280, height: 900 });
  for (let press = 0; press < 3; press++) {
    const active = await palette(ava).getByRole('combobox').getAttribute('aria-activedescendant');
    if ((await ava.locator(`[id="${active}"]`).textContent())?.includes('CS-')) break;
    await ava.keyboard.press('ArrowDown');
  }
  await ava.keyboard.press('Enter');
  await ava.waitForURL(`**/review/${requestId}`);

  // Another owner does not learn that it exists.
  const oscar = await visit('Oscar');
  await untilLive(oscar);
  for (const text of [requestId, agentName]) {
    await openPalette(oscar);
    await oscar.keyboard.insertText(text);
    await expect(palette(oscar).getByText('Nothing you may see is named so.')).toBeVisible();
    await oscar.keyboard.press('Escape');
  }

  // What was seen last is offered again.
  await ava.goto('/');
  await untilLive(ava);
  await openPalette(ava);
  await expect(palette(ava).getByRole('option', { name: agentName }).first()).toBeVisible();
});

test('An owner finds what ends in a range of days, by keyboard, in the timeline and in the list', async ({
  visit,
}) => {
  const olive = await visit('Olive');
  const agentName = uniqueName('Ending agent');
  await fileKeyedRequest(olive, { agentName, tools: { list_notes: null } });
  const ava = await visit('Ava');
  await openReview(ava, agentName);
  await approveAsAsked(ava);

  await olive.goto('/expiry');
  await untilLive(olive);
  const table = olive.getByRole('table', { name: 'Approvals that end' });
  await expect(table.getByRole('link', { name: agentName })).toBeVisible();
  await picture(olive, 'expiry');
  const all = await table.getByRole('row').count();

  // One stop of the Tab key for the whole grid; Enter chooses the week.
  const grid = olive.getByRole('grid');
  await olive.getByRole('link', { name: 'By risk' }).focus();
  const first = grid.getByRole('link').filter({ hasNot: olive.locator('[tabindex="-1"]') });
  await expect(first.first()).toBeVisible();
  for (let press = 0; press < 8; press++) {
    await olive.keyboard.press('Tab');
    if (await olive.evaluate(() => document.activeElement?.closest('[role="grid"]') !== null)) break;
  }
  const before = await olive.evaluate(() => document.activeElement?.getAttribute('aria-label'));
  expect(before).toMatch(/^All, /);
  await olive.keyboard.press('ArrowDown');
  await olive.keyboard.press('ArrowUp');
  await olive.keyboard.press('Enter');
  await olive.waitForURL(/from=\d{4}-\d{2}-\d{2}&to=/);
  const ends = Number(before?.match(/: (\d+)/)?.[1]);
  await expect(table.getByRole('row')).toHaveCount(ends + 1);

  // The two fields reach what the grid does, and more.
  await olive.getByLabel('First day').fill('2090-01-01');
  await olive.getByLabel('Last day').fill('2089-01-01');
  await olive.keyboard.press('Enter');
  await expect(olive.getByText('The last day lies before the first.')).toBeVisible();
  await olive.getByLabel('Last day').fill('2091-01-01');
  await olive.keyboard.press('Enter');
  await expect(olive.getByText('No approvals match')).toBeVisible();
  await picture(olive, 'expiry-empty-range');
  await olive.getByRole('button', { name: 'All weeks' }).press('Enter');
  await expect(table.getByRole('row')).toHaveCount(all);

  // The rest is a choice of rows, and the owner's own next step.
  await table.getByRole('checkbox', { name: `Select ${agentName}` }).press('Space');
  await olive.getByRole('button', { name: 'Ask for more time' }).press('Enter');
  const dialog = olive.getByRole('dialog', { name: 'Ask for more time' });
  await picture(olive, 'expiry-ask');
  await dialog.getByRole('link', { name: `Ask for ${agentName}` }).press('Enter');
  await olive.waitForURL('**/requests/new?agent=*');

  for (const [name, page] of [
    ['expiry-owner', olive],
    ['expiry-approver', ava],
  ] as const) {
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto('/expiry?by=server');
    await untilLive(page);
    await expectAccessible(page, name);
    await picture(page, `${name}-320`);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ forcedColors: 'active' });
    await picture(page, `${name}-forced-colors`);
    await page.emulateMedia({ forcedColors: 'none' });
  }
});

for (const name of ['Olive', 'Ava', 'Audrey', 'Adam'] as const) {
  test(`Each number on the home page of ${name} is what the list behind it shows`, async ({ visit }) => {
    const page = await visit(name);
    await page.goto('/');
    await untilLive(page);
    const links = page.locator('main a[href]').filter({ has: page.locator('.font-semibold.text-2xl') });
    await expect(links.first()).toBeVisible();
    const stats: { href: string; value: number }[] = [];
    for (const link of await links.all()) {
      stats.push({
        href: (await link.getAttribute('href')) as string,
        value: Number((await link.locator('.font-semibold.text-2xl').textContent())?.replaceAll(',', '')),
      });
    }
    expect(stats.length).toBeGreaterThan(2);
    await expectAccessible(page, `home-${name.toLowerCase()}`);
    await picture(page, `home-${name.toLowerCase()}-320`);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ forcedColors: 'active' });
    await picture(page, `home-${name.toLowerCase()}-forced-colors`);
    await page.emulateMedia({ forcedColors: 'none' });
    for (const { href, value } of stats) {
      await page.goto(href);
      await untilLive(page);
      if (href.startsWith('/clients')) {
        // Look-alikes are one row with a count; the filter tells them all.
        await expect(
          page.getByRole('checkbox', { name: new RegExp(`^Quarantined\\s*, ${value}$`) }),
        ).toBeVisible();
      } else if (value === 0) {
        await expect(page.locator('main tbody tr'), href).toHaveCount(0);
      } else {
        // A page of a list ends somewhere; the numbers of the demo are smaller.
        await expect(page.locator('main tbody tr'), href).toHaveCount(Math.min(value, 25));
      }
    }
  });
}

test('An auditor is shown an agent’s whole life, terminal or not, narrowed by days', async ({ visit }) => {
  const audrey = await visit('Audrey');
  for (const [state, name] of [
    ['revoked', 'lifeline-revoked'],
    ['active', 'lifeline-active'],
  ] as const) {
    await audrey.setViewportSize({ width: 1280, height: 900 });
    await audrey.goto(`/agents?state=${state}`);
    await audrey.getByRole('table', { name: 'Agents' }).getByRole('link').last().click();
    await audrey.waitForURL('**/agents/agt_*');
    await audrey.getByRole('link', { name: 'Whole life' }).click();
    await audrey.waitForURL('**/lifeline');
    const states = audrey.getByRole('table', { name: 'States' });
    await expect(states).toContainText('Active');
    await expect(states).toContainText(state === 'revoked' ? 'for good' : 'now');
    await expect(audrey.getByRole('table', { name: 'What happened' })).toContainText(
      'A request was approved',
    );
    await untilLive(audrey);
    await expectAccessible(audrey, name);
    await picture(audrey, `${name}-320`);
  }
  await audrey.setViewportSize({ width: 1280, height: 900 });
  await audrey.emulateMedia({ forcedColors: 'active' });
  await picture(audrey, 'lifeline-forced-colors');
  await audrey.emulateMedia({ forcedColors: 'none' });
  await audrey.getByLabel('Last day').fill('2020-01-01');
  await audrey.getByRole('button', { name: 'Show days' }).press('Enter');
  await expect(audrey.getByText('Nothing in these days.')).toBeVisible();
  await audrey.getByRole('button', { name: 'Whole life' }).press('Enter');
  await expect(audrey.getByRole('table', { name: 'What happened' })).toBeVisible();
});

test('On paper a page has its tables whole, times in UTC, no navigation, and says where it was printed', async ({
  visit,
}) => {
  const audrey = await visit('Audrey');
  const open = async (list: string, link: RegExp) => {
    await audrey.goto(list);
    const hrefs = audrey.locator('main a[href]');
    await expect
      .poll(async () =>
        (await hrefs.evaluateAll((all) => all.map((each) => each.getAttribute('href')))).some((href) =>
          link.test(href ?? ''),
        ),
      )
      .toBe(true);
    const all = await hrefs.evaluateAll((each) => each.map((one) => one.getAttribute('href') ?? ''));
    await audrey.goto(all.find((href) => link.test(href)) as string);
    await untilLive(audrey);
  };
  for (const [name, list, link] of [
    ['request', '/requests', /^\/requests\/req_/],
    ['client', '/clients', /^\/clients\/[^?]/],
    ['agent', '/agents', /^\/agents\/agt_/],
    ['receipt', '/revocations', /^\/revocations\/rvk_/],
    ['event', '/audit', /^\/audit\/evt_/],
  ] as const) {
    await open(list, link);
    await print(audrey, name);
  }
  for (const [name, address] of [
    ['audit', '/audit'],
    ['expiry', '/expiry'],
    ['requests', '/requests'],
  ] as const) {
    await audrey.goto(address);
    await untilLive(audrey);
    await print(audrey, name);
  }
});

/** As a browser prints it, and as a picture of the same layout at the width of A4 between its margins. */
async function print(page: Page, name: string): Promise<void> {
  await page.setViewportSize({ width: 688, height: 972 });
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  const pdf = await page.pdf({
    format: 'A4',
    path: path.join(os.tmpdir(), 'countersign-journeys', `print-${name}.pdf`),
  });
  expect(pdf.byteLength).toBeGreaterThan(5_000);
  await picture(page, `print-${name}`);
  await expect.soft(page.getByRole('navigation').first(), name).toBeHidden();
  await expect.soft(page.getByRole('banner'), name).toBeHidden();
  await expect.soft(page.getByText(/printed \d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2} UTC$/), name).toBeVisible();
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  expect.soft(overflow, name).toBeLessThanOrEqual(0);
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  expect.soft(background, name).toBe('rgb(255, 255, 255)');
  await page.emulateMedia({ media: 'screen' });
  await page.setViewportSize({ width: 1280, height: 900 });
}

test('On a phone the question whether to stop an agent is two taps from home', async ({ visit }) => {
  const olive = await visit('Olive');
  const agentName = uniqueName('Stopped agent');
  await fileKeyedRequest(olive, { agentName, tools: { list_notes: null } });
  const ava = await visit('Ava', { viewport: { width: 360, height: 740 } });
  await openReview(ava, agentName);
  await approveAsAsked(ava);
  await ava.goto('/');
  await untilLive(ava);
  await ava.getByRole('button', { name: 'Stop an agent' }).click();
  const dialog = ava.getByRole('dialog', { name: 'Stop an agent' });
  const option = dialog.getByRole('option', { name: agentName });
  await expect(option).toBeVisible();
  await picture(ava, 'stop-on-a-phone');
  await expectNoSidewaysScroll(ava, 'stop an agent');
  await option.click();
  const question = ava.getByRole('alertdialog', { name: `Suspend ${agentName}?` });
  await expect(question).toBeVisible();
  await picture(ava, 'stop-question-on-a-phone');
  // Choosing asked; it stopped nothing.
  await question.getByRole('button', { name: /Cancel|Keep/ }).click();
  await expect(question).toBeHidden();
  await expect(ava).toHaveURL(/\/agents\/agt_[0-9a-f]+$/);
  await expect(ava.getByRole('heading', { level: 1 })).toContainText(agentName);
  await ava.reload();
  await expect(question).toBeHidden();
});
