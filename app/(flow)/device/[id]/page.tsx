import { DeviceNumberView } from '#components/claim/device-number-view.tsx';
import { readDevice } from '#lib/registration/open-device.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requireSignedIn } from '../../../page-context.ts';
import { denyDevice, matchDevice } from '../actions.ts';

export const metadata = { title: 'Is this your device?' };

type Props = { params: Promise<{ id: string }> };

/** Which device asks, and from where; the number it shows says whether it is the one in front of this person. */
export default async function DeviceNumberPage({ params }: Props) {
  const { ctx } = await requireSignedIn();
  const { id } = await params;
  return (
    <DeviceNumberView
      device={await notFoundOr(() => readDevice(ctx, id))}
      match={matchDevice}
      deny={denyDevice}
    />
  );
}
