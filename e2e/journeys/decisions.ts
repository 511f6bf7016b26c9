import {
  approveAsAsked,
  askForApproval,
  decisionDialog,
  fileKeyedRequest,
  openReview,
} from './support/acts.ts';
import { continueAs, expect, fullName, picture, test, uniqueName } from './support/journey.ts';

test('Without JavaScript, the waiting room goes on by itself once Ava approves', async ({
  town,
  visit,
  connectClient,
}) => {
  const clientName = uniqueName('Plain browser');
  const olive = await visit('Olive');
  const client = await connectClient({ sdk: '1.x', url: town.servers.notes, clientName, page: olive });
  const connected = client.connect();
  connected.catch(() => {});
  await olive.waitForURL('**/claim**');
  await askForApproval(olive, {
    task: 'Read the notes of the meetings aloud.',
    endCondition: 'The meetings are over',
    tools: { list_notes: null },
  });
  await olive.waitForURL('**/waiting/**');
  // The same session in a browser that runs no script; the first window is closed, so that only this one can go on.
  const plain = await visit(null, { javaScriptEnabled: false });
  await plain.context().addCookies(await olive.context().cookies());
  const room = olive.url();
  await olive.goto('about:blank');
  await plain.goto(room);
  await expect(plain.getByRole('heading', { name: /is waiting for approval/ })).toBeVisible();
  await picture(plain, 'waiting-without-script');

  const ava = await visit('Ava');
  await openReview(ava, clientName);
  await approveAsAsked(ava);
  await connected;
  expect(await client.listTools()).toEqual(['list_notes']);
  await expect(plain.getByText('You can close this window.')).toBeVisible();
  for (const headers of client.callbackHeaders) expect(headers).not.toHaveProperty('cookie');
});

test('Ava rejects a waiting client with a reason; Olive reads it, and her client is told', async ({
  town,
  visit,
  connectClient,
}) => {
  const clientName = uniqueName('Rejected client');
  const olive = await visit('Olive');
  const client = await connectClient({ sdk: '2.x', url: town.servers.notes, clientName, page: olive });
  const connected = client.connect();
  connected.catch(() => {});
  await olive.waitForURL('**/claim**');
  await askForApproval(olive, {
    task: 'Delete every note that looks old to it.',
    endCondition: 'Nothing is left',
    tools: { delete_note: 'It has to delete them' },
  });
  await olive.waitForURL('**/waiting/**');
  const ava = await visit('Ava');
  await openReview(ava, clientName);
  await ava.getByRole('button', { name: /^Reject/ }).click();
  const dialog = decisionDialog(ava);
  // Without a reason nothing is rejected.
  await dialog.getByRole('button', { name: /^Reject for good/ }).click();
  await expect(dialog.getByText('Give a reason.')).toBeVisible();
  await dialog.getByRole('textbox', { name: /^Why not/ }).fill('Old notes are the archive.');
  await dialog.getByRole('button', { name: /^Reject for good/ }).click();
  await expect(dialog).toBeHidden();

  await expect(olive.getByRole('heading', { name: /was rejected/ })).toBeVisible();
  await expect(olive.getByText('Old notes are the archive.')).toBeVisible();
  await picture(olive, 'waiting-rejected');
  await expect(connected).rejects.toThrow(/access_denied/);
});

test('Abel asks for changes, Olive answers with a new revision, and Abel approves that one', async ({
  visit,
}) => {
  const agentName = uniqueName('Changed agent');
  const olive = await visit('Olive');
  await fileKeyedRequest(olive, { agentName, tools: { list_notes: null, write_note: 'It might want to' } });

  const abel = await visit('Abel');
  await openReview(abel, agentName);
  await abel.getByRole('button', { name: /^Request changes/ }).click();
  const dialog = decisionDialog(abel);
  await dialog
    .getByRole('textbox', { name: /^What has to change/ })
    .fill('Leave out writing until it has to.');
  await dialog.getByRole('button', { name: /^Send back/ }).click();
  await expect(dialog).toBeHidden();

  await expect(olive.getByText(`${fullName('Abel')} asks for changes`)).toBeVisible();
  await expect(olive.getByText('Leave out writing until it has to.').first()).toBeVisible();
  await olive.getByRole('link', { name: 'Edit' }).click();
  await olive.waitForURL('**/edit');
  await olive.getByRole('checkbox', { name: 'write_note', exact: true }).click();
  await olive.getByRole('button', { name: 'Save and submit' }).click();
  await olive.waitForURL(/\/requests\/req_[^/]+$/);
  await expect(olive.getByText('Revision 2')).toBeVisible();
  await picture(olive, 'request-resubmitted');

  await openReview(abel, agentName);
  await approveAsAsked(abel);
  await expect(olive.getByText(`${fullName('Abel')} approved this`)).toBeVisible();
});

test('Olive withdraws a request, and nobody can approve it any more', async ({ visit }) => {
  const agentName = uniqueName('Withdrawn agent');
  const olive = await visit('Olive');
  await fileKeyedRequest(olive, { agentName, tools: { list_notes: null } });
  const ava = await visit('Ava');
  await openReview(ava, agentName);
  await olive.getByRole('button', { name: 'Withdraw' }).click();
  await olive
    .getByRole('alertdialog')
    .getByRole('button', { name: /^Withdraw/ })
    .click();
  await expect(olive.getByText('Withdrawn').first()).toBeVisible();
  // Ava's page learns of it without being loaded again.
  await expect(ava.getByText('Withdrawn').first()).toBeVisible();
  await expect(ava.getByRole('button', { name: /^Approve/ })).toHaveCount(0);
});

test('Ava and Abel decide one request at the same moment: one decision counts, and the other sees whose', async ({
  visit,
}) => {
  const agentName = uniqueName('Contested agent');
  const olive = await visit('Olive');
  await fileKeyedRequest(olive, { agentName, tools: { list_notes: null } });
  // The one who loses is told by the server that it was decided.
  const expectedErrors = [/status of 409/];
  const [ava, abel] = await Promise.all([
    visit('Ava', { expectedErrors }),
    visit('Abel', { expectedErrors }),
  ]);
  for (const page of [ava, abel]) await openReview(page, agentName);
  await ava.getByRole('button', { name: /^Approve as asked/ }).click();
  await abel.getByRole('button', { name: /^Reject/ }).click();
  await abel
    .getByRole('dialog')
    .getByRole('textbox', { name: /^Why not/ })
    .fill('Not this quarter.');
  await Promise.all([
    ava
      .getByRole('dialog')
      .getByRole('button', { name: /^Approve/ })
      .click(),
    abel
      .getByRole('dialog')
      .getByRole('button', { name: /^Reject for good/ })
      .click(),
  ]);
  const outcome = olive.getByText(
    new RegExp(`(?:${fullName('Ava')} approved|${fullName('Abel')} rejected) this`),
  );
  await expect(outcome).toBeVisible();
  const approved = ((await outcome.textContent()) ?? '').includes('approved');
  const [loser, winner] = approved ? [abel, fullName('Ava')] : [ava, fullName('Abel')];
  await expect(loser.getByText(new RegExp(winner)).first()).toBeVisible();
  await loser.reload();
  await expect(loser.getByText(approved ? 'Approved' : 'Rejected').first()).toBeVisible();
  await expect(loser.getByText(winner).first()).toBeVisible();
  await expect(loser.getByRole('button', { name: /^(?:Approve|Reject)/ })).toHaveCount(0);
  await picture(loser, 'review-lost-race');
});

test('Olive finds no decision to take on her own request, at which Ava does', async ({ visit }) => {
  const agentName = uniqueName('Own agent');
  // Reviews are not hers to open; the browser notes the answer.
  const olive = await visit('Olive', { expectedErrors: [/status of 40[34]/] });
  await fileKeyedRequest(olive, { agentName, tools: { list_notes: null } });
  const requestPath = new URL(olive.url()).pathname;
  const answer = await olive.goto(requestPath.replace('/requests/', '/review/'));
  // Whatever the page is to her, it has no decision on it.
  expect(answer?.status()).toBeLessThan(500);
  await expect(olive.getByRole('button', { name: /^(?:Approve|Reject|Request changes)/ })).toHaveCount(0);
  await continueAs(olive, 'Ava');
  await olive.goto(requestPath.replace('/requests/', '/review/'));
  await expect(olive.getByRole('button', { name: /^Approve as asked/ })).toBeVisible();
});
