import { askForApproval } from './support/acts.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';

/** How long a client listens once it has opened the browser; the official SDKs' own limit. */
const clientPatienceMs = 300_000;

test('Nobody decides: the waiting room tells the client before it stops listening, and the request goes on waiting', async ({
  town,
  visit,
  connectClient,
}) => {
  test.setTimeout(clientPatienceMs + 60_000);
  const clientName = uniqueName('Undecided client');
  const olive = await visit('Olive');
  const client = await connectClient({ sdk: '2.x', url: town.servers.notes, clientName, page: olive });
  const startedAt = performance.now();
  const connected = client.connect();
  connected.catch(() => {});
  await olive.waitForURL('**/claim**');
  await askForApproval(olive, {
    task: 'Read the notes, if anybody is there to say yes.',
    endCondition: 'The notes are read',
    tools: { list_notes: null },
  });
  await olive.waitForURL('**/waiting/**');
  const room = olive.url();
  const asked = olive.getByRole('link', { name: /^Open CS-\d+$/ });
  const requestHref = (await asked.getAttribute('href')) as string;

  // Nothing is clicked: the page leaves by itself, while the client's listener is still there.
  await expect(connected).rejects.toThrow(/access_denied/);
  const waitedMs = performance.now() - startedAt;
  expect(waitedMs).toBeLessThan(clientPatienceMs);
  expect(waitedMs).toBeGreaterThan(clientPatienceMs * 0.9);
  await expect(olive.getByText('You can close this window.')).toBeVisible();

  await olive.goto(room);
  await expect(olive.getByRole('heading', { name: 'Your client has stopped waiting' })).toBeVisible();
  await expect(olive.getByText(/is still with the approvers/)).toBeVisible();
  await picture(olive, 'waiting-ended');
  await olive.goto(requestHref);
  await expect(olive.getByText('Submitted', { exact: true }).first()).toBeVisible();
});
