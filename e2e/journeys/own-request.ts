import { fileKeyedRequest, openReview } from './support/acts.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';

test('Somebody who asks for agents and also approves opens their own request: no verdict is offered and the page says why; Ava decides it', async ({
  visit,
}) => {
  const displayName = uniqueName('Bea Both');
  const email = `${displayName.replaceAll(' ', '-').toLowerCase()}@demo.example`;
  const password = 'nine copper kettles whistle';
  const adam = await visit('Adam');
  await adam.goto('/people');
  await adam.getByRole('button', { name: 'Invite' }).click();
  const invitation = adam.getByRole('dialog');
  await invitation.getByRole('textbox', { name: /^E-mail address/ }).fill(email);
  // Owner is chosen beforehand.
  await expect(invitation.getByRole('checkbox', { name: /^Owner/ })).toBeChecked();
  await invitation.getByRole('checkbox', { name: /^Approver/ }).click();
  await invitation.getByRole('button', { name: 'Make the link' }).click();
  const link = await invitation
    .getByText(/\/enrol#\S+/)
    .first()
    .textContent();

  const bea = await visit(null);
  await bea.goto((link as string).trim());
  await bea.getByRole('textbox', { name: /^Name/ }).fill(displayName);
  await bea
    .getByLabel(/^Password\s*\*?$/)
    .first()
    .fill(password);
  await bea.getByLabel(/^Password again/).fill(password);
  await bea.getByRole('button', { name: 'Create account and sign in' }).click();
  await expect(bea.getByRole('heading', { level: 1 })).toContainText('Bea');

  const agentName = uniqueName('Own agent of an approver');
  await fileKeyedRequest(bea, { agentName, tools: { list_notes: null } });
  const verdicts = /^(?:Approve|Reject|Request changes)/;
  await bea.getByRole('link', { name: 'Open review' }).click();
  await bea.waitForURL('**/review/req_*');
  await expect(bea.getByRole('heading', { level: 1 })).toContainText(agentName);
  await expect(bea.getByText('You wrote this request, so somebody else decides it.')).toBeVisible();
  await expect(bea.getByRole('button', { name: verdicts })).toHaveCount(0);
  // Nor by key: the letters open a decision only for those who may take one.
  await bea.getByRole('heading', { level: 1 }).click();
  for (const key of ['a', 'r', 'd']) await bea.keyboard.press(key);
  await expect(bea.getByRole('dialog', { name: /: CS-\d+$/ })).toHaveCount(0);
  await picture(bea, 'review-own');
  await bea.goto('/review');
  await expect(bea.getByRole('heading', { level: 1 })).toHaveText('Review');
  await expect(bea.getByRole('link', { name: agentName })).toHaveCount(0);

  const ava = await visit('Ava');
  await openReview(ava, agentName);
  await expect(ava.getByRole('button', { name: verdicts })).toHaveCount(3);

  // Other journeys count on the approvers the demo has.
  await invitation.getByRole('button', { name: 'Done' }).click();
  await adam.goto('/people');
  await adam.getByRole('link', { name: displayName }).click();
  await adam.getByRole('button', { name: 'Take away the role approver' }).click();
  await adam.getByRole('alertdialog').getByRole('button', { name: 'Take away' }).click();
  await expect(adam.getByRole('button', { name: 'Take away the role approver' })).toHaveCount(0);
});
