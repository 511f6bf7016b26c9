import { z } from 'zod';
import { refillBucket, requireToken } from '#lib/access/rate-limit.ts';
import { requireRole, requireSession } from '#lib/access/require.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { deviceRedirectUri, readUserCode } from '#lib/oauth/device-grant.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Forbidden, Invalid, NotFound } from '#lib/platform/errors.ts';
import { userCodeDigest } from './ask-for-device.ts';
import { sealHandle } from './authorization-handle.ts';
import { type DevicePlace, devicePlace } from './device-place.ts';
import { requireVault } from './prepare-claim.ts';

export const openDeviceInput = z.strictObject({ code: z.string().max(64) });

/** Ten codes that do not fit at once, then one a minute: a person mistypes now and then, a guess needs millions. */
const tries = { capacity: 10, refillSeconds: 60 };

/**
 * A signed-in owner types the code a device shows (RFC 8628 §3.3). The first session to type it has it; to everybody
 * else it is a code that does not exist. Throws `Invalid` for a code nothing waits with.
 */
export async function openDevice(
  ctx: Ctx,
  input: z.output<typeof openDeviceInput>,
): Promise<{ deviceId: string }> {
  const person = requireSession(ctx);
  requireRole(ctx, 'owner');
  const vault = requireVault(ctx);
  if (!ctx.site.deviceGrant) throw new Forbidden('Signing in by code is switched off here.');
  const budget = `device-code:${person.personId}`;
  await requireToken(
    ctx,
    budget,
    tries,
    'Too many codes that did not fit. Wait a minute, then type the code your device shows now.',
  );
  const letters = readUserCode(input.code);
  if (!letters) throw noSuchCode('A code has eight letters, as in BCDF-GHJK. Type what your device shows.');
  const now = ctx.clock.now();
  const opened = await withTransaction(ctx, async (tx) => {
    const device = await tx.deviceRequest.findUnique({
      where: { userCodeDigest: userCodeDigest(vault, letters) },
      omit: { codeChallenge: true, userCodeDigest: true, number: true },
    });
    const isOwn = device?.sessionId === person.sessionId && ['opened', 'matched'].includes(device.state);
    if (device && isOwn && device.expiresAt > now) return { deviceId: device.id };
    const { count } = await tx.deviceRequest.updateMany({
      where: { id: device?.id ?? '', state: 'asked', typedUntil: { gt: now } },
      data: { state: 'opened', personId: person.personId, sessionId: person.sessionId },
    });
    if (!device || count === 0) {
      throw noSuchCode(
        'No device waits with this code. Look at it once more, or start again on the device: a code can be typed for fifteen minutes.',
      );
    }
    await recordEvent(tx, ctx, { kind: 'device.open', ...aboutDevice(ctx, device) });
    return { deviceId: device.id };
  });
  await refillBucket(ctx, budget);
  return opened;
}

function noSuchCode(message: string): Invalid {
  return new Invalid(message, { issues: [{ path: 'code', message }] });
}

export const matchDeviceInput = z.strictObject({
  deviceId: z.string().max(64),
  number: z.coerce.number().int().min(0).max(99),
});

/**
 * The person picks the number their device shows, out of three. It takes looking at the device, so that a code read out
 * by somebody else is noticed. Returns the sealed handle of the sign-in; picking again in the same session gives it
 * again. One wrong number ends the sign-in for good. Throws `Conflict` then, and when it is over.
 */
export async function matchDevice(
  ctx: Ctx,
  input: z.output<typeof matchDeviceInput>,
): Promise<{ handle: string }> {
  const person = requireSession(ctx);
  requireRole(ctx, 'owner');
  const vault = requireVault(ctx);
  const now = ctx.clock.now();
  const picked = await withTransaction(ctx, async (tx) => {
    const device = await tx.deviceRequest.findUnique({ where: { id: input.deviceId } });
    if (device?.personId !== person.personId || device.sessionId !== person.sessionId) throw new NotFound();
    if (device.expiresAt <= now) throw over();
    if (device.state === 'matched') return { ...device, sessionId: person.sessionId };
    const isRight = device.number === input.number;
    const { count } = await tx.deviceRequest.updateMany({
      where: { id: device.id, state: 'opened' },
      data: { state: isRight ? 'matched' : 'ended' },
    });
    if (count === 0) throw over();
    await recordMatch(tx, ctx, device, isRight);
    // The end is kept, so it must not be thrown from in here.
    return isRight ? { ...device, sessionId: person.sessionId } : null;
  });
  if (!picked) {
    throw new Conflict(
      'Your device shows another number, so this sign-in has ended. If somebody gave you the code, tell your admins. Otherwise start again on the device.',
      { reason: 'other number' },
    );
  }
  return {
    handle: sealHandle(vault, {
      clientId: picked.clientId,
      redirectUri: deviceRedirectUri,
      codeChallenge: picked.codeChallenge,
      state: null,
      resource: picked.resource,
      scope: picked.scope,
      firstSeenAt: picked.createdAt,
      issuedAt: now,
      address: null,
      device: {
        id: picked.id,
        address: picked.address,
        userAgent: picked.userAgent,
        askedAt: picked.createdAt,
        expiresAt: picked.expiresAt,
        sessionId: picked.sessionId,
      },
    }),
  };
}

export const denyDeviceInput = z.strictObject({ deviceId: z.string().max(64) });

/** The person does not know this device: it ends, the device is told, and history has who said so. */
export async function denyDevice(
  ctx: Ctx,
  input: z.output<typeof denyDeviceInput>,
): Promise<{ deviceId: string }> {
  const person = requireSession(ctx);
  requireRole(ctx, 'owner');
  return withTransaction(ctx, async (tx) => {
    const device = await tx.deviceRequest.findUnique({ where: { id: input.deviceId } });
    if (device?.personId !== person.personId || device.sessionId !== person.sessionId) throw new NotFound();
    const { count } = await tx.deviceRequest.updateMany({
      where: { id: device.id, state: 'opened' },
      data: { state: 'ended' },
    });
    if (count === 0) throw over();
    await recordEnd(tx, ctx, device, 'not my device');
    return input;
  });
}

async function recordMatch(
  tx: Tx,
  ctx: Ctx,
  device: { id: string; clientId: string; address: string | null },
  isRight: boolean,
): Promise<void> {
  if (!isRight) return recordEnd(tx, ctx, device, 'other number');
  await recordEvent(tx, ctx, { kind: 'device.match', ...aboutDevice(ctx, device) });
}

async function recordEnd(
  tx: Tx,
  ctx: Ctx,
  device: { id: string; clientId: string; address: string | null },
  reason: 'other number' | 'not my device',
): Promise<void> {
  await recordEvent(tx, ctx, { kind: 'device.end', outcome: 'refused', reason, ...aboutDevice(ctx, device) });
}

function aboutDevice(ctx: Ctx, device: { id: string; clientId: string; address: string | null }) {
  return {
    subjectId: device.id,
    clientId: device.clientId,
    data: { deviceAddress: device.address, place: devicePlace(device.address, ctx.address) },
  };
}

function over(): Conflict {
  return new Conflict('This sign-in is over. Start again on the device.', { reason: 'over' });
}

/** What the page of the number shows. Only the session that typed the code sees it. */
export type OpenedDevice = {
  id: string;
  client: { id: string; name: string };
  device: { address: string | null; userAgent: string | null; askedAt: string; place: DevicePlace };
  browserAddress: string | null;
  choices: number[];
  state: 'opened' | 'matched' | 'ended' | 'over';
  expiresAt: string;
};

/** The device whose code this session typed. Throws `NotFound` for everybody else. */
export async function readDevice(ctx: Ctx, deviceId: string): Promise<OpenedDevice> {
  const person = requireSession(ctx);
  const device = await ctx.db.prisma.deviceRequest.findUnique({
    where: { id: deviceId },
    omit: { codeChallenge: true, userCodeDigest: true, number: true },
  });
  if (device?.personId !== person.personId || device.sessionId !== person.sessionId) throw new NotFound();
  const client = await ctx.db.prisma.client.findUniqueOrThrow({
    where: { id: device.clientId },
    select: { id: true, name: true },
  });
  return {
    id: device.id,
    client,
    device: {
      address: device.address,
      userAgent: device.userAgent,
      askedAt: device.createdAt.toISOString(),
      place: devicePlace(device.address, ctx.address),
    },
    browserAddress: ctx.address,
    choices: device.choices,
    state: device.expiresAt <= ctx.clock.now() ? 'over' : (device.state as OpenedDevice['state']),
    expiresAt: device.expiresAt.toISOString(),
  };
}
