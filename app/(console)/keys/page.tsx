import { KeysView } from '#components/keys/keys-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { readKeys } from '#lib/credentials/read-keys.ts';
import { requirePage } from '../../page-context.ts';
import { killKey, rotateKey } from './actions.ts';

export const metadata = { title: 'Signing keys' };

export default async function KeysPage() {
  const { ctx } = await requirePage('auditor', 'admin');
  return (
    <KeysView
      keys={await readKeys(ctx)}
      nowMs={ctx.clock.now().getTime()}
      jwksUrl={`${ctx.site.issuer}/jwks`}
      mayAdmin={hasRole(ctx.actor, 'admin')}
      actions={{ rotate: rotateKey, kill: killKey }}
    />
  );
}
