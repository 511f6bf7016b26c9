import { sameAddress } from '#lib/evidence/dossier.ts';
import { sourcePrefix } from '#lib/platform/address.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Conflict } from '#lib/platform/errors.ts';
import type { AuthorizationHandle } from './authorization-handle.ts';

/** Where a device is, seen from the browser its code was typed in. An IPv4 and an IPv6 address cannot be compared. */
export type DevicePlace = 'same network' | 'other network' | 'unknown';

export function devicePlace(device: string | null, browser: string | null): DevicePlace {
  if (!device || !browser) return 'unknown';
  if (sameAddress(device, browser)) return 'same network';
  if (device.includes(':') !== browser.includes(':')) return 'unknown';
  return sourcePrefix(device) === sourcePrefix(browser) ? 'same network' : 'other network';
}

/**
 * A device in another network than the person is held: only an approver, who sees both addresses, lets it in. Where one
 * has already, from that very network for this very instance, its owner may go on. Throws `Conflict` otherwise.
 */
export async function requireKnownDevice(
  ctx: Pick<Ctx, 'db' | 'address'>,
  handle: AuthorizationHandle,
  instanceId: string,
): Promise<void> {
  const { device } = handle;
  if (!device || devicePlace(device.address, ctx.address) === 'same network') return;
  const earlier = await ctx.db.prisma.authorizationTransaction.findMany({
    where: { instanceId, deviceAddress: { not: null } },
    orderBy: { createdAt: 'desc' },
    take: 50,
    select: { deviceAddress: true },
  });
  if (earlier.some(({ deviceAddress }) => sourcePrefix(deviceAddress) === sourcePrefix(device.address)))
    return;
  throw new Conflict(
    'This device is not known to be in the network you are in, and nobody has approved it where it is. Open this page where the device is; or remove its stored sign-in and start again, so that an approver sees both addresses.',
    { reason: 'other network', device: device.address, browser: ctx.address },
  );
}
