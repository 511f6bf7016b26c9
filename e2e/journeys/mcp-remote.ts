import { approveAsAsked, askForApproval, openReview, revokeAgent } from './support/acts.ts';
import { expect, test, uniqueName } from './support/journey.ts';
import { McpRemote } from './support/mcp-remote.ts';

test('An editor reaches the notes through an unmodified mcp-remote: Olive claims it, Ava approves, it comes back without a question, and once Adam has forgotten it, it registers anew', async ({
  town,
  visit,
}) => {
  const clientName = uniqueName('Bridge');
  const remote = await McpRemote.install(town.servers.notes, clientName);
  try {
    const first = remote.start();
    await expect.poll(first.signInUrl, { timeout: 30_000 }).not.toBeNull();
    const firstUrl = first.signInUrl() as URL;
    const olive = await visit('Olive');
    await olive.goto(firstUrl.href);
    await olive.waitForURL('**/claim**');
    await askForApproval(olive, {
      task: 'Look things up in the notes from my editor.',
      endCondition: 'This quarter is over',
      tools: { list_notes: null },
    });
    await olive.waitForURL('**/waiting/**');
    const ava = await visit('Ava');
    await openReview(ava, clientName);
    await approveAsAsked(ava);
    const editor = await first.connected;
    const { tools } = await editor.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['list_notes']);
    expect(await editor.callTool({ name: 'list_notes', arguments: {} })).not.toHaveProperty('isError', true);
    await editor.close();

    // What it remembers is enough.
    const again = await remote.start().connected;
    expect((await again.listTools()).tools).toHaveLength(1);
    await again.close();

    // Its refresh tokens are gone and its id is a tombstone: it asks before it opens a browser, and registers again.
    await revokeAgent(ava, clientName);
    const clientId = firstUrl.searchParams.get('client_id') ?? '';
    const adam = await visit('Adam');
    await adam.goto(`/clients/${encodeURIComponent(clientId)}`);
    await adam.getByRole('button', { name: /^Forget client/ }).click();
    const question = adam.getByRole('alertdialog');
    await question.getByRole('textbox').fill('The old laptop is gone.');
    await question.getByRole('button', { name: 'Forget client' }).click();
    await expect(adam.getByText('This client has ended')).toBeVisible();
    const anew = remote.start();
    await expect
      .poll(() => anew.signInUrl()?.searchParams.get('client_id') ?? clientId, { timeout: 30_000 })
      .not.toBe(clientId);
  } finally {
    await remote.uninstall();
  }
});
