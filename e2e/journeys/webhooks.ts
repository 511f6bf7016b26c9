import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { startProduct } from '../../tests/product.ts';
import { expectAccessible } from './support/accessibility.ts';
import { expect, picture, test } from './support/journey.ts';

type Call = { headers: Record<string, string>; body: string };

test('A webhook fails, Adam reads why in its log, the receiver is mended, and the message sent again is believed by the library of the standard', async ({
  visit,
}) => {
  const calls: Call[] = [];
  let status = 500;
  const receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      calls.push({
        headers: request.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString('utf8'),
      });
      response.writeHead(status).end(status === 500 ? '<b>disk full</b>\u202E on hooks-2' : 'thanks');
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hooks`;
  // A receiver on loopback is reached where development is allowed to.
  const product = await startProduct({
    args: ['--demo'],
    environment: { COUNTERSIGN_EXAMPLES: '1', COUNTERSIGN_ALLOW_LOOPBACK_METADATA: '1' },
  });
  try {
    const adam = await visit('Adam', { origin: product.consoleOrigin });
    await adam.goto('/notifications/webhooks');
    await expect(adam.getByText('No webhook yet')).toBeVisible();
    await expectAccessible(adam, 'webhooks-empty');
    await adam.setViewportSize({ width: 1280, height: 900 });
    await adam.getByRole('button', { name: 'Add webhook' }).click();
    const dialog = adam.getByRole('dialog');
    await dialog.getByRole('textbox', { name: /^Address/ }).fill('not an address');
    await dialog.getByRole('button', { name: 'Add webhook' }).click();
    await expect(dialog.getByText(/must be an absolute http or https URL/).first()).toBeVisible();
    await dialog.getByRole('textbox', { name: /^Address/ }).fill(url);
    await dialog.getByRole('textbox', { name: /^Name/ }).fill('Team chat');
    await dialog.getByRole('radio', { name: /^Only these/ }).click();
    await dialog.getByRole('checkbox', { name: /^request\.approve/ }).click();
    await dialog.getByRole('checkbox', { name: /^server\.probe/ }).click();
    await expectAccessible(adam, 'webhook-new');
    await adam.setViewportSize({ width: 1280, height: 900 });
    await dialog.getByRole('button', { name: 'Add webhook' }).click();
    const secret = (await dialog.getByRole('region', { name: 'Webhook secret' }).textContent()) as string;
    await picture(adam, 'webhook-secret');
    await dialog.getByRole('button', { name: 'I have stored it' }).click();

    await adam.getByRole('table', { name: 'Webhooks' }).getByRole('link', { name: 'Team chat' }).click();
    await adam.waitForURL('**/notifications/webhooks/whk_*');
    await adam.getByRole('button', { name: 'Send a test' }).click();
    await expect(adam.getByText('Nothing arrives here')).toBeVisible();
    await expect(adam.getByText('The receiver answered 500.').first()).toBeVisible();
    await expectAccessible(adam, 'webhook-failing');
    await adam.setViewportSize({ width: 1280, height: 900 });

    await adam.getByRole('table', { name: 'Deliveries' }).getByRole('link').first().click();
    await adam.waitForURL('**/notifications/messages/out_*');
    const tries = adam.getByRole('list', { name: 'Tries' });
    await expect(tries.getByText('status 500').first()).toBeVisible();
    // What the receiver answered is shown as text, hidden characters and all.
    await expect(tries.getByText(/<b>disk full<\/b>/).first()).toBeVisible();
    await expect(tries.getByText('U+202E').first()).toBeVisible();
    await expectAccessible(adam, 'message-failing');
    await adam.setViewportSize({ width: 1280, height: 900 });

    status = 204;
    await expect(tries.getByText('status 204')).toBeVisible({ timeout: 90_000 });
    await adam.getByRole('button', { name: 'Send again' }).click();
    await expect(tries.getByText('status 204')).toHaveCount(2);
    const arrived = calls.slice(-2);
    expect(new Set(calls.map((call) => call.headers['webhook-id'])).size).toBe(1);
    const verifier = new Webhook(secret.trim());
    for (const { body, headers } of arrived)
      expect(verifier.verify(body, headers)).toMatchObject({ type: 'webhook.test' });
    const [last] = arrived.slice(-1) as [Call];
    expect(() => verifier.verify(last.body.replace('test', 'toast'), last.headers)).toThrow();

    await test.step('a new secret signs beside the old one while both are known', async () => {
      await adam.getByRole('link', { name: 'Its webhook' }).click();
      await adam.getByRole('button', { name: 'New secret…' }).click();
      await adam.getByRole('dialog').getByRole('button', { name: 'Make secret' }).click();
      const fresh = (await adam
        .getByRole('dialog')
        .getByRole('region', { name: 'Webhook secret' })
        .textContent()) as string;
      await adam.getByRole('dialog').getByRole('button', { name: 'I have stored it' }).click();
      const before = calls.length;
      await adam.getByRole('button', { name: 'Send a test' }).click();
      await expect.poll(() => calls.length).toBeGreaterThan(before);
      const call = calls.at(-1) as Call;
      for (const each of [secret, fresh])
        expect(() => new Webhook(each.trim()).verify(call.body, call.headers)).not.toThrow();
    });

    await test.step('paused by keyboard it holds messages back', async () => {
      await adam.getByRole('button', { name: 'Pause', exact: true }).focus();
      await adam.keyboard.press('Enter');
      await expect(adam.getByText('Paused by an admin')).toBeVisible();
      await expect(adam.getByRole('button', { name: 'Send a test' })).toHaveCount(0);
      await adam.getByRole('button', { name: 'Resume' }).click();
      await expect(adam.getByRole('button', { name: 'Send a test' })).toBeVisible();
    });

    const audrey = await visit('Audrey', { origin: product.consoleOrigin });
    await audrey.goto(new URL(adam.url()).pathname);
    await expect(audrey.getByRole('heading', { level: 1 })).toHaveText('Team chat');
    await expect(audrey.getByRole('button', { name: /^(?:Send|Pause|Edit|Remove|New secret)/ })).toHaveCount(
      0,
    );
    // Pages fetch what their links lead to; none shall ask a product that is gone.
    for (const page of [adam, audrey]) await page.context().close();
  } finally {
    await product.stop();
    await new Promise((resolve) => receiver.close(resolve));
  }
});
