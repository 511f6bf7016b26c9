import { createHash, randomBytes } from 'node:crypto';
import { expectAccessible } from './support/accessibility.ts';
import { approveAsAsked, askForApproval, openReview } from './support/acts.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';

test('An approved client gives itself another name: it works on, Olive sees what it asks for and asks for the change, Ava reads the new name and approves', async ({
  town,
  visit,
}) => {
  test.setTimeout(120_000);
  const clientName = uniqueName('Field notes');
  const metadata = {
    client_name: clientName,
    redirect_uris: ['http://127.0.0.1:9/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  };
  const json = { 'content-type': 'application/json' };
  const registered = (await (
    await fetch(`${town.issuer}/register`, { method: 'POST', headers: json, body: JSON.stringify(metadata) })
  ).json()) as Record<string, string>;
  const clientId = registered.client_id as string;
  const signIn = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: metadata.redirect_uris[0] as string,
    code_challenge: createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url'),
    code_challenge_method: 'S256',
    resource: town.servers.notes,
  });
  const olive = await visit('Olive');
  await olive.goto(`${town.issuer}/authorize?${signIn}`);
  await olive.waitForURL('**/claim**');
  await askForApproval(olive, {
    task: 'Write down what happens in the field.',
    endCondition: 'The season is over',
    tools: { list_notes: null },
  });
  await olive.waitForURL('**/waiting/**');
  // Nobody listens at its redirect: she leaves before the approval would send her there.
  await olive.goto('/clients');
  const ava = await visit('Ava');
  await openReview(ava, clientName);
  await approveAsAsked(ava);

  const renamed = uniqueName('Field notes Pro');
  const answer = await fetch(registered.registration_client_uri as string, {
    method: 'PUT',
    headers: { ...json, authorization: `Bearer ${registered.registration_access_token}` },
    body: JSON.stringify({ ...metadata, client_id: clientId, client_name: renamed }),
  });
  expect(answer.status).toBe(200);
  await olive.goto(`/clients/${clientId}`);
  await expect(olive.getByText('It asks to be changed')).toBeVisible();
  await expect(olive.getByRole('cell', { name: renamed })).toBeVisible();
  await expectAccessible(olive, 'client-change');
  await olive.setViewportSize({ width: 1280, height: 900 });
  await olive.getByRole('link', { name: 'Ask for the change' }).click();
  await olive.waitForURL('**/requests/new**');
  await olive.getByRole('button', { name: 'Submit for approval' }).click();
  await olive.waitForURL(/\/requests\/req_[^/]+$/);

  await openReview(ava, clientName);
  await expect(ava.getByText(renamed).first()).toBeVisible();
  await picture(ava, 'client-change-review');
  await approveAsAsked(ava);
  await olive.goto(`/clients/${clientId}`);
  await expect(olive.getByRole('heading', { level: 1 })).toHaveText(renamed);
  await expect(olive.getByText('It asks to be changed')).toHaveCount(0);
});
