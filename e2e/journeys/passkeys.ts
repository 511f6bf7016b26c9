import { request } from 'node:http';
import type { Page } from '@playwright/test';
import { startProduct } from '../../tests/product.ts';
import { expectAccessible } from './support/accessibility.ts';
import {
  approveAsAsked,
  decisionDialog,
  fileKeyedRequest,
  openReview,
  readClientId,
  untilLive,
} from './support/acts.ts';
import { startHeadlessAgent } from './support/headless-agent.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';
import { addPasskey, giveAuthenticator } from './support/passkey.ts';

const password = 'four quiet herons waiting';

test('Ben cannot approve writing until he has a passkey; he adds one, signs, the agent gets its token, and his next browser asks for it', async ({
  visit,
}) => {
  const product = await startProduct({ environment: { COUNTERSIGN_EXAMPLES: '1' } });
  const pages: Page[] = [];
  try {
    const open = async (options = {}) => {
      const page = await visit(null, { origin: product.consoleOrigin, ...options });
      pages.push(page);
      return page;
    };
    const ida = await open();
    await ida.goto(product.enrolLink as string);
    await ida.getByRole('textbox', { name: /^E-mail address/ }).fill('ida@home.example');
    await enrol(ida, 'Ida Berg', 'Enrol and sign in');
    const links = {
      cleo: await invite(ida, 'cleo@home.example', 'Owner'),
      ben: await invite(ida, 'ben@home.example', 'Approver'),
    };
    await confirmNotes(ida);
    const cleo = await open();
    await cleo.goto(links.cleo);
    await enrol(cleo, 'Cleo Marsh', 'Create account and sign in');
    const ben = await open({ expectedErrors: [/status of 40[13]/] });
    await giveAuthenticator(ben);
    await ben.goto(links.ben);
    await enrol(ben, 'Ben Okafor', 'Create account and sign in');

    const agentName = 'Notes tidier';
    const privateJwk = await fileKeyedRequest(cleo, {
      agentName,
      tools: { list_notes: null, write_note: 'To write the summary' },
    });
    await openReview(ben, agentName);
    const approve = ben.getByRole('button', { name: /^Approve as asked/ });
    await expect(approve).toHaveAttribute('aria-disabled', 'true');
    await picture(ben, 'review-without-passkey');
    await ben.getByRole('link', { name: 'Add a passkey' }).click();
    await ben.waitForURL('**/settings/keys');
    await untilLive(ben);
    await picture(ben, 'passkeys-empty');
    await addPasskey(ben, 'Work laptop');
    await ben.reload();
    await expectAccessible(ben, 'passkeys');
    await picture(ben, 'passkeys-narrow');
    await ben.setViewportSize({ width: 1280, height: 900 });

    await test.step('Ben signs the approval, and the agent gets its token', async () => {
      await openReview(ben, agentName);
      await ben.getByRole('button', { name: /^Approve as asked/ }).click();
      await expect(decisionDialog(ben).getByText('Your passkey signs exactly this.')).toBeVisible();
      await picture(ben, 'review-signing');
      await decisionDialog(ben).getByRole('button', { name: 'Cancel' }).click();
      await approveAsAsked(ben);
      await expect(ben.getByText('signed with a passkey')).toBeVisible();
      await picture(ben, 'review-signed');
      const clientId = await readClientId(cleo, agentName);
      const agent = await startHeadlessAgent({ issuer: product.issuer, clientId, privateJwk });
      const notes = `http://127.0.0.1:${product.port + 1}/mcp`;
      const session = await agent.connect(notes, await agent.fetchToken(notes));
      const written = await session.callTool('write_note', { name: 'summary', text: 'All quiet.' });
      expect(written).toMatchObject({ isError: false });
      await session.close();
    });

    await test.step('After he signed in again, his passkey confirms what his password no longer can', async () => {
      await untilLive(ben);
      await ben.getByRole('button', { name: /Account of Ben/ }).click();
      await ben.getByRole('menuitem', { name: 'Sign out' }).click();
      await ben.getByRole('button', { name: 'Sign out' }).click();
      await ben.getByRole('textbox', { name: /^E-mail address/ }).fill('ben@home.example');
      await ben.getByLabel(/^Password/).fill(password);
      await ben.getByRole('button', { name: 'Sign in' }).click();
      await expect(ben.getByRole('heading', { level: 1 })).toContainText('Ben');
      await ben.goto('/settings/tokens');
      await untilLive(ben);
      await ben.getByRole('button', { name: 'New token' }).click();
      const form = ben.getByRole('dialog', { name: 'New API token' });
      await form.getByRole('textbox', { name: /^What will use it/ }).fill('nightly report');
      await form.getByRole('button', { name: 'Make token' }).click();
      const asked = ben.getByRole('dialog', { name: 'Confirm it is you' });
      await expect(asked).toBeVisible();
      await expectAccessible(ben, 'confirm');
      await picture(ben, 'confirm-narrow');
      await ben.setViewportSize({ width: 1280, height: 900 });
      // Cancelled, nothing happens and nothing typed is lost.
      await ben.keyboard.press('Escape');
      await expect(asked).toBeHidden();
      await expect(form.getByRole('textbox', { name: /^What will use it/ })).toHaveValue('nightly report');
      await form.getByRole('button', { name: 'Make token' }).click();
      await asked.getByRole('button', { name: 'Use passkey' }).click();
      await expect(ben.getByRole('dialog', { name: 'Your new token' })).toBeVisible();
      await expect(asked).toBeHidden();
      await ben.getByRole('button', { name: 'I have stored it' }).click();
      await expect(ben.getByText('nightly report').first()).toBeVisible();
    });

    await test.step('Ida resets his passkeys, which ends his sessions', async () => {
      await ida.goto('/people');
      await ida.getByRole('link', { name: 'Ben Okafor' }).click();
      await ida.getByRole('button', { name: 'Reset passkeys' }).click();
      const asked = ida.getByRole('alertdialog');
      await asked.getByRole('textbox', { name: /^Reason/ }).fill('He lost his laptop.');
      await picture(ida, 'reset-passkeys');
      await asked.getByRole('button', { name: 'Reset passkeys' }).click();
      await expect(asked).toBeHidden();
      await expect(ida.getByRole('button', { name: 'Reset passkeys' })).toHaveCount(0);
      await ben.goto('/settings/keys');
      await expect(ben.getByRole('button', { name: 'Sign in' })).toBeVisible();
    });
    for (const page of pages) await page.context().close();
  } finally {
    await product.stop();
  }
});

/** An admin says what the tools of the notes server do, as the server itself proposes. */
async function confirmNotes(page: Page): Promise<void> {
  await page.goto('/servers');
  await page.getByRole('link', { name: 'Notes', exact: true }).click();
  await page.getByRole('button', { name: 'Review and confirm' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: /^Confirm \d+/ }).click();
  await expect(dialog).toBeHidden();
}

test('In the demo, Ava signs with the key the demo keeps for her, and a click confirms that it is her; no foreign page can do either', async ({
  visit,
  town,
}) => {
  const agentName = uniqueName('Signed in the demo');
  const olive = await visit('Olive');
  await fileKeyedRequest(olive, { agentName, tools: { write_note: 'To write the summary' } });
  const ava = await visit('Ava');
  await openReview(ava, agentName);
  await ava.getByRole('button', { name: /^Approve as asked/ }).click();
  await expect(decisionDialog(ava).getByText(/^You sign exactly this, in the demo/)).toBeVisible();
  await picture(ava, 'review-signing-demo');
  await decisionDialog(ava)
    .getByRole('button', { name: /^Approve/ })
    .click();
  await expect(decisionDialog(ava)).toBeHidden();
  await expect(ava.getByText('signed on the command line')).toBeVisible();

  const confirmed = await ava.evaluate(() =>
    fetch('/demo/confirm', { method: 'POST' }).then((a) => a.status),
  );
  expect(confirmed).toBe(204);
  await ava.goto('/settings/keys');
  await expect(ava.getByText('Demo key')).toBeVisible();
  await picture(ava, 'passkeys-demo');
  const cookies = await ava.context().cookies();
  for (const path of ['/demo/sign', '/demo/confirm']) {
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const status = await postFrom('http://evil.example', `${town.consoleOrigin}${path}`, cookie);
    expect([path, status]).toEqual([path, 403]);
  }
});

async function enrol(page: Page, name: string, button: string): Promise<void> {
  await page.getByRole('textbox', { name: /^Name/ }).fill(name);
  await page
    .getByLabel(/^Password\s*\*?$/)
    .first()
    .fill(password);
  await page.getByLabel(/^Password again/).fill(password);
  await page.getByRole('button', { name: button }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText(name.split(' ')[0] as string);
}

async function invite(page: Page, email: string, role: string): Promise<string> {
  await page.goto('/people');
  await page.getByRole('button', { name: 'Invite' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: /^E-mail address/ }).fill(email);
  await dialog.getByRole('checkbox', { name: new RegExp(`^${role}`, 'i') }).check();
  await dialog.getByRole('button', { name: 'Make the link' }).click();
  const link = await dialog
    .getByText(/\/enrol#\S+/)
    .first()
    .textContent();
  return (link as string).trim();
}

/** What a page elsewhere would send if it could send the cookie, too. */
function postFrom(origin: string, url: string, cookie: string): Promise<number> {
  const { host, port, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, path: pathname, method: 'POST', headers: { host, origin, cookie } },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    outgoing.on('error', reject);
    outgoing.end('{}');
  });
}
