import { sameAddress } from '#lib/evidence/dossier.ts';
import { sourcePrefix } from '#lib/platform/address.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Conflict } from '#lib/platform/errors.ts';
import type { AuthorizationHandle } from './authorization-handle.ts';
import { deviceIsHeld } from './device-is-held.ts';

/** Where a device is, seen from the browser its code was typed in. An IPv4 and an IPv6 address cannot be compared. */
export type DevicePlace = 'same network' | 'other network' | 'unknown';

export function devicePlace(device: string | null, browser: string | null): DevicePlace {
  if (!device || !browser) return 'unknown';
  if (sameAddress(device, browser)) return 'same network';
  if (device.includes(':') !== browser.includes(':')) return 'unknown';
  return sourcePrefix(device) === sourcePrefix(browser) ? 'same network' : 'other network';
}

/**
 * Whether a device is where its person is, or where an approver has let this client of theirs in before, having seen both
 * addresses. `orAskedFor` counts what a request before the approvers names as well: who waits for it gets nothing before
 * they have decided.
 */
export async function isKnownDevice(
  ctx: Pick<Ctx, 'db' | 'address'>,
  handle: AuthorizationHandle,
  ownerId: string,
  { orAskedFor = false }: { orAskedFor?: boolean } = {},
): Promise<boolean> {
  const { device } = handle;
  if (!device || devicePlace(device.address, ctx.address) === 'same network') return true;
  const seen = await ctx.db.prisma.evidence.findMany({
    where: {
      clientId: handle.clientId,
      kind: 'device',
      revision: {
        request: {
          ownerId,
          state: { in: orAskedFor ? ['approved', 'submitted', 'changes requested'] : ['approved'] },
        },
      },
    },
    distinct: ['value'],
    select: { value: true },
  });
  const prefix = sourcePrefix(device.address);
  return seen.some(({ value }) => sourcePrefix((value as { address?: string }).address ?? null) === prefix);
}

/** A device in another network than the person is held: only an approver lets it in. Throws `Conflict` when it is. */
export async function requireKnownDevice(
  ctx: Pick<Ctx, 'db' | 'address'>,
  handle: AuthorizationHandle,
  ownerId: string,
  options: { orAskedFor?: boolean } = {},
): Promise<void> {
  if (await isKnownDevice(ctx, handle, ownerId, options)) return;
  throw new Conflict(deviceIsHeld, {
    reason: 'other network',
    device: handle.device?.address ?? null,
    browser: ctx.address,
  });
}
