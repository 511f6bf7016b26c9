import type { Page } from '@playwright/test';
import { type EventKind, eventCatalogue } from '#lib/audit/catalogue.ts';
import { askForApproval, decisionDialog, openReview, revokeAgent } from './support/acts.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';

for (const sdk of ['1.x', '2.x'] as const) {
  test(`An unmodified SDK ${sdk} client asks for the notes server; Olive claims it, Ava narrows and approves it, it works within that, Ava revokes it with one click, and Audrey finds the whole story`, async ({
    town,
    visit,
    connectClient,
  }) => {
    const clientName = uniqueName(`Terminal ${sdk}`);
    const olive = await visit('Olive');
    const client = await connectClient({ sdk, url: town.servers.notes, clientName, page: olive });

    // Olive's client opens her browser, where she says what it is for.
    const connected = client.connect();
    connected.catch(() => {});
    await olive.waitForURL('**/claim**');
    await expect(olive.getByRole('heading', { level: 1 })).toContainText(
      `${clientName} wants to connect to Notes`,
    );
    await askForApproval(olive, {
      task: 'Keep the meeting notes tidy while I work.',
      endCondition: 'The notes of this quarter are in order',
      tools: { list_notes: null, read_note: null, write_note: 'It corrects headings and dates' },
      pictureName: `claim-${sdk}`,
    });
    await olive.waitForURL('**/waiting/**');
    await expect(olive.getByRole('heading', { name: /is waiting for approval/ })).toBeVisible();
    await expect(olive.getByText(/Ava Moreno.*can decide it/)).toBeVisible();
    await picture(olive, `waiting-${sdk}`);

    // Ava reads it, takes one tool away, and says why.
    const ava = await visit('Ava');
    await openReview(ava, clientName);
    await picture(ava, `review-${sdk}`);
    await ava.getByRole('checkbox', { name: 'Keep write_note' }).click();
    await ava.getByRole('button', { name: /^Approve narrowed/ }).click();
    const decision = decisionDialog(ava);
    await decision
      .getByRole('textbox', { name: /Why less than asked/ })
      .fill('Reading is enough for a start.');
    await picture(ava, `decision-${sdk}`);
    await decision.getByRole('button', { name: /^Approve narrowed/ }).click();

    // Olive's page goes on by itself, and her client is connected, with no cookie sent to a local program.
    await connected;
    expect(client.callbackHeaders.length).toBeGreaterThan(0);
    for (const headers of client.callbackHeaders) expect(headers).not.toHaveProperty('cookie');

    expect(await client.listTools()).toEqual(['list_notes', 'read_note']);
    const allowed = await client.callTool('list_notes', {});
    expect(allowed).toMatchObject({ isError: false });
    const refused = await client.callTool('write_note', { name: 'today', text: 'Hello' });
    expect(refused.isError).toBe(true);
    // What was refused, why, and where to ask for it.
    expect(refused.text).toContain('write_note');
    expect(refused.text).toMatch(/not (?:approved|among|bound|granted)|no approval/i);
    expect(refused.text).toContain(town.consoleOrigin);

    // One click ends it.
    await revokeAgent(ava, clientName);
    const beforeCall = performance.now();
    await expect(client.callTool('list_notes', {})).rejects.toThrow();
    expect(performance.now() - beforeCall).toBeLessThan(10_000);
    await expect(ava.getByRole('heading', { level: 1 })).toContainText(`${clientName} was revoked`);
    await expect(ava.getByText(/^\d+ ms after$/)).toBeVisible();
    await expect(ava.getByText('Closed', { exact: true }).first()).toBeVisible();
    await picture(ava, `receipt-${sdk}`);

    await test.step('Audrey reads what happened, from the registration to the end', async () => {
      const audrey = await visit('Audrey', { viewport: { width: 1680, height: 1000 } });
      await readStory(audrey, { clientName, pictureName: `audit-${sdk}` });
    });
  });
}

/** What Audrey expects to find, newest first on her screen. */
const story = [
  'client.register',
  'agent.create',
  'client.claim',
  'request.submit',
  'request.vote',
  'request.approve',
  'agent.activate',
  'binding.create',
  'code.issue',
  'credential.issue',
  'guard.call',
  'agent.revoke',
  'credential.end',
  'binding.end',
] as const satisfies readonly EventKind[];

async function readStory(
  audrey: Page,
  { clientName, pictureName }: { clientName: string; pictureName: string },
): Promise<void> {
  await audrey.goto('/audit');
  const search = audrey.getByRole('searchbox', { name: 'Search history' });
  await search.fill(clientName);
  await search.press('Enter');
  await audrey.waitForURL((url) => url.searchParams.get('q') === clientName);
  const events = audrey.getByRole('table', { name: 'Events' });
  const found = async () => {
    const text = (await events.textContent()) ?? '';
    return story.filter((kind) => text.includes(eventCatalogue[kind].says));
  };
  await expect.poll(found).toEqual([...story]);
  // The call that was refused for its tool, and the one that was refused because the agent had ended.
  await expect(events.getByText('not_granted').first()).toBeVisible();
  await expect(events.getByText('agent_revoked').first()).toBeVisible();
  await picture(audrey, pictureName);

  // From the token back to the registration: each event names the one that led to it.
  const issued = eventCatalogue['credential.issue'].says;
  await events.getByRole('row').filter({ hasText: issued }).getByRole('link').first().click();
  await expect(audrey.getByRole('heading', { level: 1 })).toContainText(issued);
  await picture(audrey, `${pictureName}-event`);
  const before = audrey.getByRole('list', { name: 'What led to it' });
  for (const kind of [
    'client.register',
    'client.claim',
    'request.submit',
    'request.approve',
    'binding.create',
  ] as const) {
    await expect(before).toContainText(eventCatalogue[kind].says);
  }
}
