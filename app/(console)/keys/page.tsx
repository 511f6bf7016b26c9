import { KeysView } from '#components/keys/keys-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { readKeys, readKeyUse, readPublicKeys } from '#lib/credentials/read-keys.ts';
import { overlapSeconds } from '#lib/credentials/signing-keys.ts';
import { requirePage } from '../../page-context.ts';
import { checkKeys, killKey, rotateKey } from './actions.ts';

export const metadata = { title: 'Signing keys' };

export default async function KeysPage() {
  const { ctx } = await requirePage('auditor', 'admin');
  const [keys, use, publicKeys] = await Promise.all([readKeys(ctx), readKeyUse(ctx), readPublicKeys(ctx)]);
  return (
    <KeysView
      keys={keys}
      use={use}
      publicKeys={publicKeys}
      overlapSeconds={overlapSeconds}
      nowMs={ctx.clock.now().getTime()}
      jwksUrl={`${ctx.site.issuer}/jwks`}
      mayAdmin={hasRole(ctx.actor, 'admin')}
      actions={{ rotate: rotateKey, kill: killKey, check: checkKeys }}
    />
  );
}
