import { KeysView } from '#components/settings/keys-view.tsx';
import { getOwnAccount } from '#lib/access/read-people.ts';
import { hasRole } from '#lib/access/require.ts';
import { requireSignedIn } from '../../../page-context.ts';
import { addCommandLineKey, addPasskey, beginPasskey, removeKey, renameKey } from '../actions.ts';

export const metadata = { title: 'Passkeys' };

export default async function KeysPage() {
  const { ctx } = await requireSignedIn();
  const { keys } = await getOwnAccount(ctx);
  return (
    <KeysView
      keys={keys}
      approves={hasRole(ctx.actor, 'approver')}
      actions={{ addCommandLineKey, addPasskey, beginPasskey, removeKey, renameKey }}
    />
  );
}
