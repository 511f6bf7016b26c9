import type { Locator, Page } from '@playwright/test';
import { expectAccessible } from './support/accessibility.ts';
import { approveAsAsked, decisionDialog, openReview } from './support/acts.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';

/** Goes on by the Tab key until the control has the focus, as somebody without a pointer does. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let steps = 0; steps < 150; steps++) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error('the Tab key does not lead there');
}

async function pasteInto(page: Page, text: string): Promise<void> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.evaluate((value) => navigator.clipboard.writeText(value), text);
  await page.keyboard.press('ControlOrMeta+v');
}

const pasteBox = (page: Page) => page.getByRole('textbox', { name: /^Paste anything/ });
const report = (page: Page) => page.getByRole('region', { name: 'What was read' });

test('Olive pastes an mcp.json and submits the request by keyboard alone, in no more than six decisions; the token in it goes nowhere', async ({
  town,
  visit,
}) => {
  const name = uniqueName('Pasted');
  const secret = `ghp_${'a1B2'.repeat(9)}`;
  const olive = await visit('Olive');
  const sent: string[] = [];
  olive.on('request', (request) => sent.push(`${request.url()} ${request.postData() ?? ''}`));
  await olive.goto('/requests/new');
  await expect(olive.getByRole('heading', { level: 1 })).toHaveText('New request');
  const started = Date.now();
  let decisions = 0;
  const decide = async (target: Locator, act: () => Promise<void>) => {
    await tabTo(olive, target);
    await act();
    decisions++;
  };
  await decide(pasteBox(olive), () =>
    pasteInto(
      olive,
      JSON.stringify(
        {
          mcpServers: {
            [name]: { type: 'http', url: town.servers.notes, headers: { Authorization: `Bearer ${secret}` } },
            local: { command: 'npx', args: ['@example/files'] },
          },
        },
        null,
        2,
      ),
    ),
  );
  await expect(report(olive)).toContainText('An MCP configuration');
  await expect(report(olive)).toContainText('It starts a program on your computer');
  await expect(olive.getByText('You pasted a GitHub token')).toBeVisible();
  await expect(pasteBox(olive)).not.toHaveValue(/ghp_/);
  await expect(olive.getByRole('textbox', { name: /^Name/ })).toHaveValue(`${name} agent`);
  await decide(olive.getByRole('textbox', { name: /^What will it do\?/ }), () =>
    olive.keyboard.type('List the notes of the team every morning.'),
  );
  await decide(olive.getByRole('textbox', { name: /^Done when/ }), () =>
    olive.keyboard.type('The team moves to the wiki'),
  );
  await decide(olive.getByRole('checkbox', { name: 'list_notes', exact: true }), () =>
    olive.keyboard.press('Space'),
  );
  await expect(olive.getByText('What you typed was saved', { exact: false })).toBeVisible();
  await picture(olive, 'composer-pasted');
  await decide(olive.getByRole('button', { name: 'Submit for approval' }), () =>
    olive.keyboard.press('Enter'),
  );
  await olive.waitForURL(/\/requests\/req_[^/]+$/);
  test.info().annotations.push({
    type: 'measured',
    description: `${decisions} decisions, ${((Date.now() - started) / 1000).toFixed(1)} s from paste to submitted`,
  });
  process.stdout.write(`measured: ${decisions} decisions, ${Date.now() - started} ms\n`);
  expect(decisions).toBeLessThanOrEqual(6);
  await expect(olive.getByRole('heading', { level: 1 })).toContainText(name);
  expect(sent.filter((each) => each.includes(secret))).toEqual([]);
  // Filed is no longer a draft.
  await olive.goto('/requests/new');
  await expect(olive.getByRole('textbox', { name: /^Name/ })).toHaveValue('');
});

test('a live API token that Oscar pastes is dead afterwards, and the page says so', async ({
  town,
  visit,
}) => {
  const oscar = await visit('Oscar');
  await oscar.goto('/settings/tokens');
  await oscar.getByRole('button', { name: 'New token' }).click();
  const dialog = oscar.getByRole('dialog');
  await dialog.getByRole('textbox', { name: /^What will use it/ }).fill(uniqueName('leaked'));
  await dialog.getByRole('button', { name: 'Make token' }).click();
  await expect(dialog).toContainText(/cs_[0-9A-Za-z]{46}/);
  const token = /cs_[0-9A-Za-z]{46}/.exec((await dialog.textContent()) ?? '')?.[0] as string;
  const me = () =>
    fetch(new URL('/api/v1/me', town.issuer), { headers: { authorization: `Bearer ${token}` } }).then(
      ({ status }) => status,
    );
  expect(await me()).toBe(200);
  await oscar.goto('/requests/new');
  await pasteBox(oscar).focus();
  await pasteInto(oscar, `curl -H "Authorization: Bearer ${token}" ${town.servers.notes}`);
  await expect(oscar.getByText('You pasted a live API token. It has been ended.')).toBeVisible();
  expect(await me()).toBe(401);
  await expect(oscar.locator('body')).not.toContainText(token);
  await expectAccessible(oscar, 'composer-leaked');
  // What the paste filled in was kept; nobody else of these stories goes on from it.
  await expect(oscar.getByText('What you typed was saved', { exact: false })).toBeAttached();
  await oscar.goto('/requests/new');
  await oscar.getByRole('button', { name: 'Start over' }).click();
  await expect(oscar.getByText('This goes on from where you stopped')).toHaveCount(0);
});

test('what Olive typed survives a reload and signing out; a second tab is told and overwrites nothing', async ({
  visit,
}) => {
  const name = uniqueName('Half typed');
  const olive = await visit('Olive');
  await olive.goto('/requests/new');
  await olive.getByRole('textbox', { name: /^Name/ }).fill(name);
  await olive.getByRole('textbox', { name: /^What will it do\?/ }).fill('Sort the notes');
  await expect(olive.getByText('What you typed was saved', { exact: false })).toBeVisible();
  await olive.reload();
  await expect(olive.getByRole('textbox', { name: /^Name/ })).toHaveValue(name);
  await olive.goto('/sign-out');
  await olive.getByRole('button', { name: 'Sign out' }).click();
  await olive.waitForURL((url) => !url.pathname.startsWith('/sign-out'));

  const again = await visit('Olive');
  await again.goto('/requests/new');
  await expect(again.getByText('This goes on from where you stopped')).toBeVisible();
  await expect(again.getByRole('textbox', { name: /^Name/ })).toHaveValue(name);
  await expect(again.getByRole('textbox', { name: /^What will it do\?/ })).toHaveValue('Sort the notes');

  const other = await again.context().newPage();
  await other.goto('/requests/new');
  await other.getByRole('textbox', { name: /^Done when/ }).fill('In the other tab');
  await expect(other.getByText('What you typed was saved', { exact: false })).toBeVisible();
  await expect(other.getByRole('textbox', { name: /^Done when/ })).toHaveValue('In the other tab');
  await again.getByRole('textbox', { name: /^Done when/ }).fill('In this tab');
  await expect(again.getByText('Another tab or browser of yours went on with this form')).toBeVisible();
  await picture(again, 'composer-two-tabs');
  await again.getByRole('button', { name: 'Show the other one' }).click();
  await expect(again.getByRole('textbox', { name: /^Done when/ })).toHaveValue('In the other tab');
  await other.close();
  // Oscar's form knows nothing of it.
  const oscar = await visit('Oscar');
  await oscar.goto('/requests/new');
  await expect(oscar.getByRole('textbox', { name: /^Name/ })).not.toHaveValue(name);
  await again.getByRole('button', { name: 'Start over' }).click();
  await expect(again.getByRole('textbox', { name: /^Name/ })).toHaveValue('');
});

test('a narrowed approval shows asked beside granted, and the rest is asked for with everything filled in', async ({
  visit,
}) => {
  const agentName = uniqueName('Narrowed');
  const olive = await visit('Olive');
  await olive.goto('/requests/new');
  await olive.getByRole('textbox', { name: /^Name/ }).fill(agentName);
  await olive.getByRole('combobox', { name: /^Deputy/ }).fill('a');
  await expect(olive.getByRole('option', { name: /Does not have the role owner/ }).first()).toBeVisible();
  await picture(olive, 'composer-deputy');
  await olive.getByRole('combobox', { name: /^Deputy/ }).fill('Oscar');
  await olive.getByRole('option', { name: /^Oscar/ }).click();
  await olive.getByRole('radio', { name: /^With tokens I carry to it/ }).click();
  await olive.getByRole('textbox', { name: /^What will it do\?/ }).fill('Look after the notes of the team.');
  await olive.getByRole('textbox', { name: /^Done when/ }).fill('The quarter ends');
  const notes = olive.locator('details', { has: olive.getByText('Notes', { exact: true }) });
  await notes.locator('summary').click();
  for (const tool of ['list_notes', 'read_note'])
    await notes.getByRole('checkbox', { name: tool, exact: true }).click();
  await expectAccessible(olive, 'composer');
  await picture(olive, 'composer-320');
  await olive.setViewportSize({ width: 1280, height: 900 });
  await olive.getByRole('button', { name: 'Submit for approval' }).click();
  await olive.waitForURL(/\/requests\/req_[^/]+$/);
  const address = olive.url();

  const ava = await visit('Ava');
  await openReview(ava, agentName);
  await ava
    .getByRole('checkbox', { name: /read_note/ })
    .first()
    .click();
  await ava.getByRole('button', { name: /^Approve narrowed/ }).click();
  const dialog = decisionDialog(ava);
  await dialog.getByRole('textbox').first().fill('The list is enough for a start.');
  await dialog.getByRole('button', { name: /^Approve/ }).click();
  await expect(dialog).toBeHidden();

  await olive.goto(address);
  await expect(olive.getByText('1 of 2 granted')).toBeVisible();
  await picture(olive, 'request-narrowed');
  await olive.getByRole('link', { name: 'Ask for the rest' }).click();
  await expect(olive.getByRole('heading', { level: 1 })).toHaveText('Ask for a change');
  await expect(olive.getByRole('checkbox', { name: 'read_note', exact: true })).toBeChecked();
  await olive.getByRole('button', { name: 'Submit for approval' }).click();
  await olive.waitForURL(/\/requests\/req_[^/]+$/);
  await openReview(ava, agentName);
  await approveAsAsked(ava);
});
