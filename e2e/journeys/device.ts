import type { Page } from '@playwright/test';
import { expectAccessible } from './support/accessibility.ts';
import { approveAsAsked, askForApproval, openReview } from './support/acts.ts';
import { expect, picture, test, uniqueName } from './support/journey.ts';
import { McpRemote } from './support/mcp-remote.ts';

type Shown = { code: string; page: string };

async function untilShown(started: { userCode(): Shown | null }): Promise<Shown> {
  await expect.poll(started.userCode, { timeout: 30_000 }).not.toBeNull();
  return started.userCode() as Shown;
}

/** By keyboard alone: the code as it is shown, then Enter. */
async function typeCode(page: Page, shown: Shown): Promise<void> {
  await page.goto(shown.page);
  await expect(page.getByRole('textbox', { name: 'Code' })).toBeFocused();
  await page.keyboard.type(shown.code.slice(0, 9).toLowerCase().replace('-', ' '));
  await expect(page.getByRole('textbox', { name: 'Code' })).toHaveValue(shown.code.slice(0, 9));
  await page.keyboard.press('Enter');
  await page.waitForURL('**/device/dev_*');
}

const showsNumber = (number: string) => ({ name: `The device shows ${number}` });

test('A machine without a browser reaches the notes through an unmodified mcp-remote: Olive types its code and picks its number, Ava approves, and it goes on by itself', async ({
  town,
  visit,
}) => {
  test.setTimeout(180_000);
  const clientName = uniqueName('Build machine');
  const remote = await McpRemote.install(town.servers.notes, clientName);
  try {
    const started = remote.start({ deviceCode: true });
    const shown = await untilShown(started);
    expect(shown.page).toBe(`${town.consoleOrigin}/device`);
    const olive = await visit('Olive');

    await olive.goto('/device');
    await olive.getByRole('textbox', { name: 'Code' }).fill('BBBB-BBBB');
    await olive.getByRole('button', { name: 'Go on' }).click();
    await expect(olive.getByText('No device waits with this code').first()).toBeVisible();
    await expect(olive.getByRole('textbox', { name: 'Code' })).toHaveValue('BBBB-BBBB');
    await picture(olive, 'device-code-wrong');

    await typeCode(olive, shown);
    await expect(olive.getByRole('heading', { level: 1 })).toHaveText('Is this your device?');
    await expect(olive.getByText(clientName)).toBeVisible();
    await expectAccessible(olive, 'device-number');
    await olive.setViewportSize({ width: 1280, height: 900 });
    await olive.getByRole('button', showsNumber(shown.code.slice(-2))).click();
    await olive.waitForURL('**/claim**');
    await expect(olive.getByText('Device asks from')).toBeVisible();
    await askForApproval(olive, {
      task: 'Look things up in the notes while the nightly build runs.',
      endCondition: 'The build no longer needs it',
      tools: { list_notes: null },
      pictureName: 'device-claim',
    });
    await olive.waitForURL('**/waiting/**');
    await expect(olive.getByText('Your device keeps asking')).toBeVisible();
    await picture(olive, 'device-waiting');
    const ava = await visit('Ava');
    await openReview(ava, clientName);
    await approveAsAsked(ava);
    const machine = await started.connected;
    const { tools } = await machine.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['list_notes']);
    await expect(olive.getByRole('heading', { name: 'Your device is connected' })).toBeVisible();
    await machine.close();

    // What it remembers is enough.
    const again = await remote.start({ deviceCode: true }).connected;
    expect((await again.listTools()).tools).toHaveLength(1);
    await again.close();
  } finally {
    await remote.uninstall();
  }
});

test('A code read out by somebody else: Olive sees a number her device does not show, picks wrongly, and it is over for both', async ({
  town,
  visit,
}) => {
  test.setTimeout(120_000);
  const remote = await McpRemote.install(town.servers.notes, uniqueName('Somebody’s shell'));
  try {
    const started = remote.start({ deviceCode: true });
    const shown = await untilShown(started);
    const olive = await visit('Olive');
    await olive.goto('/device');
    await expect(olive.getByRole('textbox', { name: 'Code' })).toBeVisible();
    await expectAccessible(olive, 'device-code');
    await typeCode(olive, shown);
    const wrong = olive
      .getByRole('group')
      .getByRole('button')
      .filter({ hasNotText: shown.code.slice(-2) })
      .first();
    await wrong.click();
    await expect(olive.getByText('Your device shows another number')).toBeVisible();
    await expect(olive.getByRole('link', { name: 'Type another code' })).toBeVisible();
    await picture(olive, 'device-number-wrong');
    await expect(started.connected).rejects.toThrow(/denied/i);
  } finally {
    await remote.uninstall();
  }
});
