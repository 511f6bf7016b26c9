import { DeviceCodeView } from '#components/claim/device-code-view.tsx';
import { ForbiddenState, GoneState } from '#components/console/states.tsx';
import { hasRole } from '#lib/access/require.ts';
import { requireSignedIn } from '../../page-context.ts';
import { openDevice } from './actions.ts';

export const metadata = { title: 'Connect a device' };

/** Where a device without a browser sends its person (RFC 8628 §3.3): type what it shows. The address takes no code. */
export default async function DevicePage() {
  const { ctx } = await requireSignedIn();
  if (!ctx.site.deviceGrant) {
    return (
      <div className="mx-auto max-w-160">
        <GoneState
          title="Signing in by code is switched off"
          successor={{ label: 'Go to the console', href: '/' }}
        >
          Sign in from your client with a browser instead. Whoever runs this installation can switch it on.
        </GoneState>
      </div>
    );
  }
  if (!hasRole(ctx.actor, 'owner')) {
    return (
      <div className="mx-auto max-w-160">
        <ForbiddenState title="You cannot connect a device" needs={['owner']} />
      </div>
    );
  }
  return <DeviceCodeView open={openDevice} />;
}
