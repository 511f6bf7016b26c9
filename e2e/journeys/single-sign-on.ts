import type { Page } from '@playwright/test';
import { startIdentityProvider } from '../../tests/identity-provider.ts';
import { freePortRange, startProduct } from '../../tests/product.ts';
import { expectAccessible } from './support/accessibility.ts';
import { expect, picture, test } from './support/journey.ts';

const password = 'four quiet herons waiting';

test('Nora signs in through the company, gets the role of her group, loses it with the group; Ida adds the company to her own account', async ({
  visit,
}) => {
  const port = await freePortRange(1);
  const origin = `http://countersign.localhost:${port}`;
  const company = await startIdentityProvider(`${origin}/api/auth/callback/oidc`);
  const product = await startProduct({
    port,
    environment: {
      COUNTERSIGN_OIDC_ISSUER: company.issuer,
      COUNTERSIGN_OIDC_CLIENT_ID: company.clientId,
      COUNTERSIGN_OIDC_CLIENT_SECRET: company.clientSecret,
      COUNTERSIGN_OIDC_NAME: 'Heron ID',
      COUNTERSIGN_OIDC_SCOPE: 'openid profile email groups',
      COUNTERSIGN_OIDC_ROLES: '{"security":["approver"]}',
      COUNTERSIGN_OIDC_ENROL: 'anyone',
    },
  });
  try {
    // The company's pages would like a font from the internet; a test has none.
    const open = async () => {
      const page = await visit(null, { origin });
      await page
        .context()
        .route(/^https:/, (route) => route.fulfill({ status: 200, contentType: 'text/css', body: '' }));
      return page;
    };
    const ida = await open();
    await ida.goto(product.enrolLink as string);
    await ida.getByRole('textbox', { name: /^E-mail address/ }).fill('ida@home.example');
    await ida.getByRole('textbox', { name: /^Name/ }).fill('Ida Berg');
    await ida
      .getByLabel(/^Password\s*\*?$/)
      .first()
      .fill(password);
    await ida.getByLabel(/^Password again/).fill(password);
    await ida.getByRole('button', { name: 'Enrol and sign in' }).click();
    await expect(ida.getByRole('heading', { level: 1 })).toContainText('Ida');

    const colleague = { name: 'Nora Lind', email: 'nora@heron.example', email_verified: true };
    company.colleagues.set('nora', colleague);
    const nora = await open();
    // She was on her way to a page, and comes back to it.
    await nora.goto('/settings/profile');
    await expect(nora.getByRole('link', { name: 'Continue with Heron ID' })).toBeVisible();
    await picture(nora, 'sign-in-with-provider');
    await expectAccessible(nora, 'sign-in with a provider');
    await signInAt(nora, 'nora');
    await expect(nora.getByText('nora@heron.example').first()).toBeVisible();
    expect(new URL(nora.url()).pathname).toBe('/settings/profile');
    await expect(nora.getByText('How you sign in.')).toBeVisible();
    await expect(nora.getByRole('button', { name: 'Change password' })).toHaveCount(0);
    await picture(nora, 'profile-through-provider');
    await nora.goto('/review');
    await expect(nora).toHaveURL(/\/no-role/);

    // No cookie of the dance is left, and the session's is not for scripts.
    const left = await nora.context().cookies(origin);
    expect(left.filter(({ name }) => name.includes('oidc'))).toEqual([]);
    expect(left.every(({ httpOnly, sameSite }) => httpOnly && sameSite === 'Lax')).toBe(true);

    company.colleagues.set('nora', { ...colleague, groups: ['security'] });
    await signInAgain(nora);
    await nora.goto('/review');
    await expect(nora.getByRole('heading', { level: 1 })).toContainText(/review/i);

    await ida.goto('/people');
    await ida.getByRole('link', { name: 'Nora Lind' }).click();
    await expect(ida.getByText(/since .* granted by the group security/)).toBeVisible();
    await expect(ida.getByRole('button', { name: 'Reset password' })).toHaveAttribute(
      'aria-disabled',
      'true',
    );
    await picture(ida, 'person-through-provider');
    await expectAccessible(ida, 'a person of the provider');

    company.colleagues.set('nora', { ...colleague, groups: [] });
    await signInAgain(nora);
    await nora.goto('/review');
    await expect(nora).toHaveURL(/\/no-role/);

    // Her address at the company is the one of her account here, which joins nothing by itself.
    company.colleagues.set('ida', { name: 'Ida Berg', email: 'ida@home.example', email_verified: true });
    const stranger = await open();
    await stranger.goto('/sign-in');
    await signInAt(stranger, 'ida');
    await expect(stranger.getByText('An account with your e-mail address is here already')).toBeVisible();
    await picture(stranger, 'sign-in-account-exists');
    // What one session began, another does not finish, whoever sits in it.
    await ida.goto('/settings/profile');
    await ida.getByRole('link', { name: 'Sign in with Heron ID too' }).click();
    await expect(ida.getByPlaceholder('Enter any login')).toBeVisible();
    const otherTab = await ida.context().newPage();
    await signOut(otherTab);
    await otherTab.getByRole('textbox', { name: /^E-mail address/ }).fill('ida@home.example');
    await otherTab.getByLabel(/^Password/).fill(password);
    await otherTab.getByRole('button', { name: 'Sign in', exact: true }).click();
    await expect(otherTab.getByRole('heading', { level: 1 })).toContainText('Ida');
    await otherTab.close();
    await logInAtCompany(ida, 'ida');
    await expect(ida.getByText('Heron ID was not linked')).toBeVisible();
    await picture(ida, 'profile-not-linked');
    await ida.getByRole('link', { name: 'Sign in with Heron ID too' }).click();
    await expect(ida.getByText('Heron ID is linked')).toBeVisible();
    await picture(ida, 'profile-linked');
    await expectAccessible(ida, 'a linked profile');
    await stranger.goto('/sign-in');
    await stranger.getByRole('link', { name: 'Continue with Heron ID' }).click();
    await expect(stranger.getByRole('heading', { level: 1 })).toContainText('Ida');
    // Unlinked, it opens nothing, and no second Ida either.
    await signOut(stranger);
    await ida.getByRole('button', { name: 'Unlink' }).click();
    await expect(ida.getByRole('link', { name: 'Sign in with Heron ID too' })).toBeVisible();
    await stranger.getByRole('link', { name: 'Continue with Heron ID' }).click();
    await expect(stranger.getByText('This account at Heron ID was unlinked here')).toBeVisible();
    await picture(stranger, 'sign-in-unlinked');

    // A claim's address is long, and waits at its end all the same.
    const other = await open();
    const handle = 'x'.repeat(3_500);
    await other.goto(`/claim?handle=${handle}`);
    await signInAt(other, 'nora');
    await expect(other).toHaveURL(
      (url) => url.pathname === '/claim' && url.searchParams.get('handle') === handle,
    );
    await other.context().clearCookies();

    // A way back that nobody began, and a provider that says no.
    await other.goto('/api/auth/callback/oidc?code=stolen&state=guessed');
    await expect(other.getByText('This sign-in took too long or was begun in another window')).toBeVisible();
    await picture(other, 'sign-in-expired');
    await other.getByRole('link', { name: 'Continue with Heron ID' }).click();
    await other.getByRole('link', { name: /Cancel/ }).click();
    await expect(other.getByText('Heron ID did not sign you in')).toBeVisible();
    await picture(other, 'sign-in-provider-refused');

    // Their windows close before the product ends, so that none misses it.
    for (const page of [ida, nora, stranger, other]) await page.context().close();
  } finally {
    await product.stop();
    await company.close();
  }
});

async function signInAt(page: Page, login: string): Promise<void> {
  await page.getByRole('link', { name: 'Continue with Heron ID' }).click();
  await logInAtCompany(page, login);
}

/** The company's own pages: who one is, then that the console may know it. */
async function logInAtCompany(page: Page, login: string): Promise<void> {
  await page.getByPlaceholder('Enter any login').fill(login);
  await page.getByPlaceholder('and password').fill('anything');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

async function signOut(page: Page): Promise<void> {
  await page.goto('/sign-out');
  await page.getByRole('button', { name: 'Sign out' }).click();
}

/** The company knows the browser by now and asks nothing. */
async function signInAgain(page: Page): Promise<void> {
  await signOut(page);
  await page.getByRole('link', { name: 'Continue with Heron ID' }).click();
  await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'));
}
