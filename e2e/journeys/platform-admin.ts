import { expect, picture, test, uniqueName } from './support/journey.ts';

test('Adam adds a server, is told what is wrong with its address, mends it, and sees why its tools cannot be read', async ({
  visit,
}) => {
  const name = uniqueName('Ledger');
  const adam = await visit('Adam');
  await adam.goto('/servers');
  await adam.getByRole('link', { name: 'Add server' }).click();
  await adam.getByRole('textbox', { name: /^Name/ }).fill(name);
  await adam.getByRole('textbox', { name: /^Public URL/ }).fill('not an address');
  await adam.getByRole('button', { name: 'Add server' }).click();
  await expect(adam.getByRole('link', { name: /Public URL: must be an http or https URL/ })).toBeVisible();
  await picture(adam, 'add-server-error');

  await adam
    .getByRole('textbox', { name: /^Public URL/ })
    .fill(`http://127.0.0.1:9/${encodeURIComponent(name)}`);
  await adam.getByRole('textbox', { name: /^Server URL/ }).fill('http://127.0.0.1:9/mcp');
  await adam.getByRole('button', { name: 'Add server' }).click();
  await adam.waitForURL('**/servers/srv_*');
  await expect(adam.getByRole('heading', { level: 1 })).toHaveText(name);
  await adam.getByRole('button', { name: 'Sync now' }).click();
  await expect(adam.getByText('The tools could not be read').first()).toBeVisible();
  await picture(adam, 'sync-failed');

  await test.step('Audrey reads the reason in the list of events, on a laptop and on a phone', async () => {
    const serverId = new URL(adam.url()).pathname.split('/').at(-1) as string;
    const audrey = await visit('Audrey');
    for (const width of [1280, 320]) {
      await audrey.setViewportSize({ width, height: 900 });
      await audrey.goto(`/audit?outcome=refused&server=${serverId}`);
      const reason = audrey.getByRole('table', { name: 'Events' }).getByText(/^The server did not list its/);
      await expect(reason.first()).toBeVisible();
      // Room for some words in a row, not for a letter.
      expect((await reason.first().boundingBox())?.width, `at ${width} px`).toBeGreaterThan(120);
      await picture(audrey, `audit-refused-${width}`);
    }
  });
});

test('Adam reads the tools of the notes server again, looks at one word for word, and takes it into a tool set whose new version widens nobody', async ({
  visit,
}) => {
  const name = uniqueName('Note reader');
  const adam = await visit('Adam');
  await adam.goto('/servers');
  await adam.getByRole('table', { name: 'MCP servers' }).getByRole('link', { name: 'Notes' }).click();
  await adam.getByRole('button', { name: 'Sync now' }).click();
  await expect(adam.getByText(/^6 tools read over MCP /)).toBeVisible();
  await adam.getByRole('table', { name: 'Tools' }).getByRole('link', { name: 'read_note' }).click();
  const drawer = adam.getByRole('dialog');
  await expect(drawer.getByRole('region', { name: 'Input schema' })).toContainText('"properties"');
  await expect(drawer.getByText('Version 1', { exact: true })).toBeVisible();
  await picture(adam, 'tool');
  await drawer.getByRole('button', { name: 'Close' }).click();
  await expect(drawer).toBeHidden();

  await adam.goto('/tool-sets/new');
  await adam.getByRole('textbox', { name: /^Name/ }).fill(name);
  await adam.getByRole('checkbox', { name: /^read_note/ }).click();
  await adam.getByRole('button', { name: 'Create tool set' }).click();
  await adam.waitForURL('**/tool-sets/set_*');
  await adam.getByRole('button', { name: 'New version' }).click();
  await adam.getByRole('checkbox', { name: /^list_notes/ }).click();
  await expect(adam.getByText('This widens nobody')).toBeVisible();
  await picture(adam, 'tool-set');
  await adam.getByRole('button', { name: 'Save version 2' }).click();
  await expect(adam.getByText('Version 2', { exact: true }).first()).toBeVisible();
});

test('Adam makes a join token, which is shown once; Audrey sees guards and may add none', async ({
  visit,
}) => {
  const adam = await visit('Adam');
  await adam.goto('/guards');
  await expect(adam.getByRole('table', { name: 'Guards' }).getByText('Connected')).toBeVisible();
  await adam.getByRole('button', { name: 'Add guard' }).click();
  const dialog = adam.getByRole('dialog');
  await dialog.getByRole('checkbox', { name: /^Files/ }).click();
  await dialog.getByRole('textbox', { name: /^Name/ }).fill(uniqueName('second'));
  await dialog.getByRole('button', { name: 'Make join token' }).click();
  await expect(dialog.getByRole('region', { name: 'Command' })).toContainText('COUNTERSIGN_JOIN_TOKEN=');
  await expect(dialog.getByText('This token is shown once')).toBeVisible();
  await picture(adam, 'join-token');
  await dialog.getByRole('button', { name: 'Done' }).click();

  const audrey = await visit('Audrey');
  await audrey.goto('/guards');
  await expect(audrey.getByRole('heading', { level: 1 })).toHaveText('Guards');
  await expect(audrey.getByRole('button', { name: 'Add guard' })).toHaveCount(0);
});

test('Every number on the home of Ava, Olive, Audrey and Adam opens the list it counts', async ({
  visit,
}) => {
  for (const name of ['Ava', 'Olive', 'Audrey', 'Adam'] as const) {
    const page = await visit(name);
    await page.goto('/');
    await expect(page.getByRole('heading', { level: 1 })).toContainText(name);
    await picture(page, `home-${name}`);
    const hrefs = await page
      .getByRole('main')
      .getByRole('list')
      .first()
      .getByRole('link')
      .evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''));
    expect(hrefs.length).toBeGreaterThan(3);
    for (const href of hrefs) {
      const answer = await page.goto(href);
      expect(answer?.status(), `${name}: ${href}`).toBe(200);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    }
  }
});
