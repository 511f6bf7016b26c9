import { expectAccessible } from './support/accessibility.ts';
import { expect, test, uniqueName } from './support/journey.ts';
import { startKeyedAgent } from './support/keyed-agent.ts';

test('Adam rotates the key of tokens and no agent notices; he kills the old one, and what it signed is dead while new tokens work', async ({
  town,
  visit,
}) => {
  const { agent } = await startKeyedAgent(visit, town.issuer);
  const token = await agent.fetchToken(town.servers.notes);
  const session = await agent.connect(town.servers.notes, token);
  expect(await session.callTool('list_notes', {})).toMatchObject({ isError: false });

  const adam = await visit('Adam');
  await adam.goto('/keys');
  const inUse = adam.getByRole('list', { name: 'Access tokens: keys in use' });
  const keys = inUse.getByRole('listitem');
  const signing = keys.filter({ hasText: 'Active' });
  await expect(signing).toContainText(/live tokens? of/);
  const oldKid = await signing.locator('code span').first().textContent();
  await adam.getByRole('button', { name: 'Rotate now: Access tokens' }).click();
  await expectAccessible(adam, 'key-rotate');
  await adam.getByRole('alertdialog').getByRole('button', { name: 'Rotate' }).click();
  const old = keys.filter({ hasText: oldKid as string });
  await expect(old).toContainText('Retired');
  expect(await session.callTool('list_notes', {})).toMatchObject({ isError: false });

  await old.getByRole('button', { name: /^Kill/ }).click();
  const dialog = adam.getByRole('alertdialog');
  await expect(dialog.getByText(/^This ends \d+ live tokens? of \d+ agents?$/)).toBeVisible();
  await dialog.getByRole('button', { name: 'Kill key' }).click();
  await expect(dialog.getByText(/^Say why/).first()).toBeVisible();
  await dialog.getByRole('textbox', { name: /^Reason/ }).fill('A copy of it was seen on a laptop.');
  await expectAccessible(adam, 'key-kill');
  await dialog.getByRole('button', { name: 'Kill key' }).click();
  await expect(old).toHaveCount(0);
  // The guard hears of it through its feed.
  await expect(async () => {
    await expect(session.callTool('list_notes', {})).rejects.toThrow('invalid_token');
  }).toPass({ timeout: 5_000 });
  const again = await agent.connect(town.servers.notes, await agent.fetchToken(town.servers.notes));
  expect(await again.callTool('list_notes', {})).toMatchObject({ isError: false });

  const audrey = await visit('Audrey');
  await audrey.goto('/keys');
  await expect(audrey.getByRole('heading', { level: 1 })).toHaveText('Signing keys');
  await expect(audrey.getByRole('button', { name: /^(?:Kill|Rotate)/ })).toHaveCount(0);
  await audrey.getByRole('link', { name: 'History of keys' }).click();
  await expect(audrey.getByText('A copy of it was seen on a laptop.').first()).toBeVisible();
});

test('Adam makes a token with which the notes server asks about callers, and ends it: it gets no more answers', async ({
  town,
  visit,
}) => {
  const { agent } = await startKeyedAgent(visit, town.issuer);
  const presented = await agent.fetchToken(town.servers.notes);
  const ask = async (resourceToken: string) => {
    const answer = await fetch(`${town.issuer}/introspect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${resourceToken}` },
      body: new URLSearchParams({ token: presented }),
    });
    return { status: answer.status, active: answer.ok ? (await answer.json()).active : null };
  };

  const name = uniqueName('Gateway');
  const adam = await visit('Adam');
  await adam.goto('/servers');
  await adam.getByRole('table', { name: 'MCP servers' }).getByRole('link', { name: 'Notes' }).click();
  const card = adam.getByRole('region', { name: 'Resource tokens' });
  await card.getByRole('button', { name: 'New token' }).click();
  const dialog = adam.getByRole('dialog');
  await dialog.getByRole('textbox', { name: /^What will use it/ }).fill(name);
  await dialog.getByRole('button', { name: 'Make token' }).click();
  const resourceToken = await dialog.getByRole('region', { name: 'Resource token' }).textContent();
  await expectAccessible(adam, 'resource-token');
  await dialog.getByRole('button', { name: 'I have stored it' }).click();
  expect(await ask(resourceToken as string)).toEqual({ status: 200, active: true });

  await card.getByRole('button', { name: `End… the token ${name}` }).click();
  await expectAccessible(adam, 'resource-token-end');
  await adam.getByRole('alertdialog').getByRole('button', { name: 'End token' }).click();
  await expect(card.getByRole('listitem').filter({ hasText: name })).toContainText('Ended');
  expect(await ask(resourceToken as string)).toEqual({ status: 401, active: null });
});
