import { ConfigurationView } from '#components/settings/configuration-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { readStartReports } from '#lib/access/start-report.ts';
import { readKeys } from '#lib/credentials/read-keys.ts';
import { requirePage } from '../../../page-context.ts';
import { testMail, testProvider } from '../actions.ts';

export const metadata = { title: 'Configuration' };

const purposes: Readonly<Record<string, string>> = {
  token: 'access tokens',
  feed: 'the feed to guards',
  checkpoint: 'checkpoints',
};

export default async function ConfigurationPage() {
  const { ctx } = await requirePage('admin', 'auditor');
  const [reports, keys] = await Promise.all([readStartReports(ctx), readKeys(ctx)]);
  return (
    <ConfigurationView
      reports={reports}
      keyAges={keys
        .filter((key) => key.state === 'active')
        .map(({ purpose, activatedAt }) => ({ purpose: purposes[purpose] ?? purpose, activatedAt }))}
      mayAdmin={hasRole(ctx.actor, 'admin')}
      actions={{ testMail, testProvider }}
    />
  );
}
