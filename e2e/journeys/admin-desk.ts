import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startNotesServer } from '#examples/notes-server.ts';
import { freePortRange } from '../../tests/product.ts';
import { expectAccessible, expectNoSidewaysScroll } from './support/accessibility.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';

test('Adam finds that a server answers without its guard, closes it, sees the finding close, and retires the server with what that reaches shown first', async ({
  visit,
}) => {
  const name = uniqueName('Open notes');
  const folder = await mkdtemp(path.join(os.tmpdir(), 'journey-notes-'));
  const port = await freePortRange(2);
  let notes = await startNotesServer({ folder, port });
  try {
    const adam = await visit('Adam');
    await adam.goto('/servers/new');
    await adam.getByRole('textbox', { name: /^Name/ }).fill(name);
    await adam.getByRole('textbox', { name: /^Public URL/ }).fill(`http://127.0.0.1:${port + 1}/mcp`);
    await adam.getByRole('textbox', { name: /^Server URL/ }).fill(notes.url);
    await adam.getByRole('button', { name: 'Add server' }).click();
    await adam.waitForURL('**/servers/srv_*');

    await test.step('asked past its guard it lists its tools to anybody', async () => {
      await adam.getByRole('button', { name: `Ask now: ${name}, past its guard` }).focus();
      await adam.keyboard.press('Enter');
      await expect(adam.getByText('This server answers without its guard')).toBeVisible();
      await expect(adam.getByText(/It listed 6 tools to a caller without any credential/)).toBeVisible();
      await expectAccessible(adam, 'server-open');
      await adam.setViewportSize({ width: 1280, height: 900 });
      await adam.goto('/guards');
      await expect(adam.getByText(/answers? without (?:its|their) guard/).first()).toBeVisible();
      await expect(adam.getByText(/^No guard stands in front of/)).toBeVisible();
      await expectAccessible(adam, 'guards-open');
      await adam.setViewportSize({ width: 1280, height: 900 });
    });

    await test.step('with a key of its own it refuses, and the finding is closed', async () => {
      await notes.close();
      notes = await startNotesServer({ folder, port, key: 'known to the guard alone' });
      await adam.goto('/servers');
      await adam.getByRole('table', { name: 'MCP servers' }).getByRole('link', { name }).click();
      await adam.getByRole('button', { name: `Ask now: ${name}, past its guard` }).click();
      await expect(adam.getByText('Refuses strangers')).toBeVisible();
      await expect(adam.getByText('This server answers without its guard')).toHaveCount(0);
      await adam.getByRole('link', { name: 'Events of this server' }).click();
      await expect(adam.getByText(/asked without its guard/).first()).toBeVisible();
      await adam.goto('/notifications');
      await expect(
        adam.getByRole('link', { name: new RegExp(`${name} answers without its guard`) }),
      ).toBeVisible();
      await expect(
        adam.getByRole('link', { name: new RegExp(`${name} refuses callers who come past its guard`) }),
      ).toBeVisible();
    });

    await test.step('it is retired, and the receipt says what ended', async () => {
      await adam.goto('/servers');
      await adam.getByRole('table', { name: 'MCP servers' }).getByRole('link', { name }).click();
      const card = adam.getByRole('region', { name: 'Resource tokens' });
      await card.getByRole('button', { name: 'New token' }).click();
      await adam
        .getByRole('dialog')
        .getByRole('textbox', { name: /^What will use it/ })
        .fill('gateway');
      await adam.getByRole('dialog').getByRole('button', { name: 'Make token' }).click();
      await adam.getByRole('dialog').getByRole('button', { name: 'I have stored it' }).click();
      await card.getByRole('button', { name: 'Rotate… the token gateway' }).click();
      await expectAccessible(adam, 'resource-token-rotate');
      await adam.setViewportSize({ width: 1280, height: 900 });
      await adam.getByRole('dialog').getByRole('button', { name: 'Make successor' }).click();
      await expect(adam.getByRole('dialog').getByText('Store it now')).toBeVisible();
      await adam.getByRole('dialog').getByRole('button', { name: 'I have stored it' }).click();
      await expect(card.getByText(/has a successor/)).toBeVisible();

      await adam.getByRole('button', { name: 'Retire…' }).click();
      const dialog = adam.getByRole('alertdialog');
      const reach = dialog.getByRole('region', { name: 'What this reaches' });
      await expect(reach.getByRole('listitem').filter({ hasText: 'resource tokens' })).toContainText('2');
      await expectAccessible(adam, 'retire');
      await adam.setViewportSize({ width: 1280, height: 900 });
      await dialog.getByRole('button', { name: 'Retire server' }).click();
      await expect(dialog.getByText(/^Say why/).first()).toBeVisible();
      await dialog.getByRole('textbox', { name: /^Reason/ }).fill('Replaced by the new notes.');
      await dialog.getByRole('button', { name: 'Retire server' }).click();
      await adam.waitForURL('**/revocations/rvk_*');
      await expect(adam.getByRole('heading', { level: 1 })).toContainText(`${name} was retired`);
      await expect(adam.getByText('2 ended').first()).toBeVisible();
      await expectAccessible(adam, 'retired');
      await adam.setViewportSize({ width: 1280, height: 900 });
      await adam.getByRole('link', { name: 'Open server' }).click();
      await expect(adam.getByText('This server is retired')).toBeVisible();
      await expect(adam.getByRole('button', { name: /^(?:Edit|Sync now|Retire)/ })).toHaveCount(0);
    });
  } finally {
    await notes.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test('Each guard has a page that Ava may read and Adam may act on; Olive is told which role is missing', async ({
  visit,
}) => {
  const ava = await visit('Ava');
  await ava.goto('/guards');
  await ava.getByRole('table', { name: 'Guards' }).getByRole('link').first().click();
  await ava.waitForURL('**/guards/grd_*');
  await expect(ava.getByText('Connected')).toBeVisible();
  await expect(ava.getByText('Holds, without a gap in 30 days')).toBeVisible();
  await expect(ava.getByText('Started').first()).toBeVisible();
  await ava
    .getByRole('region', { name: 'What it stands in front of' })
    .getByText(/^Covers \d+ tools?$/)
    .first()
    .click();
  await expect(ava.getByRole('list', { name: /^Tools of/ }).first()).toBeVisible();
  await expect(ava.getByRole('button', { name: /^(?:Revoke|Ask)/ })).toHaveCount(0);
  await expectAccessible(ava, 'guard');
  const address = new URL(ava.url()).pathname;

  const adam = await visit('Adam');
  await adam.goto(address);
  await expect(adam.getByRole('button', { name: 'Revoke…' })).toBeVisible();
  await picture(adam, 'guard-adam');
  await expectNoSidewaysScroll(adam, 'guard-adam');

  const olive = await visit('Olive', { expectedErrors: [/403/] });
  await olive.goto(address);
  await expect(olive.getByRole('heading', { level: 1 })).not.toHaveText(/guard/i);
});

test('Adam reads what the installation was started with and checks the seals of its keys; Audrey may read both and test nothing', async ({
  visit,
}) => {
  const adam = await visit('Adam');
  await adam.goto('/settings');
  await adam.getByRole('link', { name: 'Configuration' }).click();
  await expect(adam.getByText('COUNTERSIGN_UPSTREAM_NETWORKS', { exact: true })).toBeVisible();
  await expect(adam.getByText('No mail server is set', { exact: false })).toBeVisible();
  const secret = adam.getByRole('listitem').filter({ hasText: 'COUNTERSIGN_OIDC_CLIENT_SECRET' });
  await expect(secret).toContainText('not set');
  await expectAccessible(adam, 'configuration');
  await adam.setViewportSize({ width: 1280, height: 900 });
  await adam.getByRole('link', { name: 'All signing keys' }).click();
  await expect(adam.getByText(/hands over/).first()).toBeVisible();
  await adam
    .getByText(/^What verifiers read/)
    .first()
    .click();
  await expect(adam.getByRole('region', { name: 'Access tokens: public keys' })).toContainText(
    '"kty": "OKP"',
  );
  await expectAccessible(adam, 'keys');
  await adam.setViewportSize({ width: 1280, height: 900 });
  await adam.getByRole('button', { name: 'Check the seals' }).click();
  await expect(adam.getByText(/^All \d+ open and fit their public halves$/)).toBeVisible();
  await picture(adam, 'keys-checked');

  const audrey = await visit('Audrey');
  await audrey.goto('/settings/configuration');
  await expect(audrey.getByText('COUNTERSIGN_UPSTREAM_NETWORKS', { exact: true })).toBeVisible();
  await expect(audrey.getByRole('button', { name: /^(?:Send|Ask)/ })).toHaveCount(0);
  const olive = await visit('Olive', { expectedErrors: [/403/] });
  await olive.goto('/settings/profile');
  await expect(olive.getByRole('link', { name: 'Configuration' })).toHaveCount(0);
  await olive.goto('/settings/configuration');
  await expect(olive.getByText('COUNTERSIGN_UPSTREAM_NETWORKS')).toHaveCount(0);
});
