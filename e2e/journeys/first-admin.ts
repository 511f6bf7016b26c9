import { startProduct } from '../../tests/product.ts';
import { untilLive } from './support/acts.ts';
import { expect, picture, test } from './support/journey.ts';

const passwords = { ida: 'four quiet herons waiting', ben: 'seven paper boats sinking' };

test('Ida enrols as first admin by the printed link and invites Ben, who is told of a wrong password, signs in, and signs out', async ({
  visit,
}) => {
  const product = await startProduct();
  try {
    expect(product.enrolLink).not.toBeNull();
    const origin = product.consoleOrigin;
    const ida = await visit(null, { origin });
    await ida.goto(product.enrolLink as string);
    await expect(ida.getByRole('heading', { name: 'Enrol the first admin' })).toBeVisible();
    // What opens the door does not stay in the address bar.
    expect(new URL(ida.url()).hash).toBe('');
    await ida.getByRole('textbox', { name: /^E-mail address/ }).fill('ida@home.example');
    await ida.getByRole('textbox', { name: /^Name/ }).fill('Ida Berg');
    await ida
      .getByLabel(/^Password\s*\*?$/)
      .first()
      .fill(passwords.ida);
    await ida.getByLabel(/^Password again/).fill(passwords.ida);
    await picture(ida, 'enrol');
    await ida.getByRole('button', { name: 'Enrol and sign in' }).click();
    await expect(ida.getByRole('heading', { level: 1 })).toContainText('Ida');
    await picture(ida, 'home-first-admin');

    await ida.goto('/people');
    await ida.getByRole('button', { name: 'Invite' }).click();
    const dialog = ida.getByRole('dialog');
    await dialog.getByRole('textbox', { name: /^E-mail address/ }).fill('ben@home.example');
    await dialog.getByRole('button', { name: 'Make the link' }).click();
    const link = await dialog
      .getByText(/\/enrol#\S+/)
      .first()
      .textContent();
    await picture(ida, 'invitation');

    const ben = await visit(null, { origin, expectedErrors: [/status of 401/] });
    await ben.goto((link as string).trim());
    await expect(ben.getByRole('heading', { name: 'Welcome to Countersign' })).toBeVisible();
    await ben.getByRole('textbox', { name: /^Name/ }).fill('Ben Okafor');
    await ben
      .getByLabel(/^Password\s*\*?$/)
      .first()
      .fill(passwords.ben);
    await ben.getByLabel(/^Password again/).fill(passwords.ben);
    await ben.getByRole('button', { name: 'Create account and sign in' }).click();
    await expect(ben.getByRole('heading', { level: 1 })).toContainText('Ben');

    await untilLive(ben);
    await ben.getByRole('button', { name: /Account of Ben/ }).click();
    await picture(ben, 'user-menu');
    await ben.getByRole('menuitem', { name: 'Sign out' }).click();
    await ben.getByRole('button', { name: 'Sign out' }).click();
    await expect(ben.getByText('You are signed out')).toBeVisible();
    await ben.getByRole('textbox', { name: /^E-mail address/ }).fill('ben@home.example');
    await ben.getByLabel(/^Password/).fill('not the one');
    await ben.getByRole('button', { name: 'Sign in' }).click();
    await expect(ben.getByText('The e-mail address or the password is not right.')).toBeVisible();
    await picture(ben, 'sign-in-refused');
    await ben.getByLabel(/^Password/).fill(passwords.ben);
    await ben.getByRole('button', { name: 'Sign in' }).click();
    await expect(ben.getByRole('heading', { level: 1 })).toContainText('Ben');

    // A link works once.
    const late = await visit(null, { origin });
    await late.goto((link as string).trim());
    await expect(late.getByRole('heading', { name: 'This link does not work' })).toBeVisible();
    // Their windows close before the product ends, so that none misses it.
    for (const page of [ida, ben, late]) await page.context().close();
  } finally {
    await product.stop();
  }
});
