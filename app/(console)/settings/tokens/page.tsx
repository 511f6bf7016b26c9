import { TokensView } from '#components/settings/tokens-view.tsx';
import { getOwnAccount } from '#lib/access/read-people.ts';
import { requireSignedIn } from '../../../page-context.ts';
import { createApiToken, endApiToken } from '../actions.ts';

export const metadata = { title: 'API tokens' };

export default async function TokensPage() {
  const { ctx } = await requireSignedIn();
  const { apiTokens } = await getOwnAccount(ctx);
  return (
    <TokensView
      tokens={apiTokens}
      apiUrl={`${ctx.site.consoleOrigin}/api/v1`}
      actions={{ createApiToken, endApiToken }}
    />
  );
}
