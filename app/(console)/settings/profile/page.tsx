import { cookies } from 'next/headers';
import { parseTheme, THEME_COOKIE } from '#components/console/theme.ts';
import { ProfileView } from '#components/settings/profile-view.tsx';
import { getOwnAccount } from '#lib/access/read-people.ts';
import { effectiveRights } from '#lib/access/rights.ts';
import { requireSignedIn } from '../../../page-context.ts';
import { changePassword, editProfile, unlinkProvider } from '../actions.ts';

export const metadata = { title: 'Profile' };

type Props = { searchParams: Promise<Record<string, string | string[] | undefined>> };

export default async function ProfilePage({ searchParams }: Props) {
  const query = await searchParams;
  const [{ ctx, viewer }, jar] = await Promise.all([requireSignedIn(), cookies()]);
  const account = await getOwnAccount(ctx);
  return (
    <ProfileView
      displayName={viewer.displayName}
      email={viewer.email}
      subject={ctx.actor.subject}
      roles={ctx.actor.roles}
      rights={effectiveRights(ctx.actor.roles)}
      groups={account.groups}
      provider={
        ctx.site.identityProvider
          ? {
              name: ctx.site.identityProvider.name,
              identity:
                account.identities.find(({ issuer }) => issuer === ctx.site.identityProvider?.issuer) ?? null,
            }
          : null
      }
      hasPassword={account.hasPassword}
      linked={query.linked !== undefined}
      linkProblem={typeof query.error === 'string' ? query.error : null}
      theme={parseTheme(jar.get(THEME_COOKIE)?.value)}
      actions={{ changePassword, editProfile, unlinkProvider }}
    />
  );
}
