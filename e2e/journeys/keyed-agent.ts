import { readFile } from 'node:fs/promises';
import { approveAsAsked, composeRequest, openAgent, openReview, readClientId } from './support/acts.ts';
import { startHeadlessAgent } from './support/headless-agent.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';

test('Oscar files a keyed agent by the form and Abel approves it as asked; it fetches its token and calls a tool, is suspended and refused, and works again once Ava agrees', async ({
  town,
  visit,
}) => {
  const agentName = uniqueName('Nightly tidy');
  const oscar = await visit('Oscar');
  const privateJwk = await test.step('Oscar makes the key in his browser and asks', async () => {
    await oscar.goto('/requests/new');
    await oscar.getByRole('textbox', { name: /^Name/ }).fill(agentName);
    const saved = oscar.waitForEvent('download');
    await oscar.getByRole('button', { name: 'Make key and save private half' }).click();
    const file = await saved;
    expect(file.suggestedFilename()).toMatch(/\.private\.jwk\.json$/);
    await expect(oscar.getByText('Key made; its private half was saved as a file')).toBeVisible();
    await composeRequest(oscar, {
      task: 'Read the notes every night and report the ones without a heading.',
      endCondition: 'The team moves to the wiki',
      server: 'Notes',
      tools: { list_notes: null, read_note: null },
    });
    await picture(oscar, 'request-form');
    await oscar.getByRole('button', { name: 'Submit for approval' }).click();
    await oscar.waitForURL('**/requests/req_*');
    await expect(oscar.getByRole('heading', { level: 1 })).toContainText(agentName);
    await picture(oscar, 'request');
    return JSON.parse(await readFile(await file.path(), 'utf8')) as JsonWebKey;
  });

  const abel = await visit('Abel');
  await openReview(abel, agentName);
  await picture(abel, 'review-keyed');
  await approveAsAsked(abel);

  const clientId = await readClientId(oscar, agentName);
  const agent = await startHeadlessAgent({ issuer: town.issuer, clientId, privateJwk });
  const token = await agent.fetchToken(town.servers.notes);
  const session = await agent.connect(town.servers.notes, token);
  expect(await session.callTool('list_notes', {})).toMatchObject({ isError: false });

  await test.step('Abel suspends it: its token and its key stop working', async () => {
    await openAgent(abel, agentName);
    await abel.getByRole('button', { name: 'Suspend', exact: true }).click();
    const asked = abel.getByRole('alertdialog');
    await asked.getByRole('textbox', { name: /^Reason/ }).fill('It reads more often than every night.');
    await picture(abel, 'suspend');
    await asked.getByRole('button', { name: 'Suspend now' }).click();
    await abel.waitForURL('**/revocations/*');
    await expect(session.callTool('list_notes', {})).rejects.toThrow();
    await expect(agent.fetchToken(town.servers.notes)).rejects.toMatchObject({
      error: expect.stringMatching(/^(?:invalid_client|invalid_grant|unauthorized_client|access_denied)$/),
    });
  });

  await test.step('Oscar asks for it back, and Ava, who did not suspend it, agrees', async () => {
    await openAgent(oscar, agentName);
    await oscar.getByRole('button', { name: 'Ask to reinstate' }).click();
    const asked = oscar.getByRole('dialog');
    await asked
      .getByRole('textbox', { name: /Why should it work again/ })
      .fill('Its timer was wrong; it runs once a night now.');
    await asked.getByRole('button', { name: 'Submit request' }).click();
    await oscar.waitForURL('**/requests/req_*');
    const ava = await visit('Ava');
    await openReview(ava, agentName);
    await picture(ava, 'review-reinstate');
    await approveAsAsked(ava);
  });

  const again = await agent.connect(town.servers.notes, await agent.fetchToken(town.servers.notes));
  expect(await again.callTool('list_notes', {})).toMatchObject({ isError: false });
  await openAgent(oscar, agentName);
  await picture(oscar, 'agent');
});
