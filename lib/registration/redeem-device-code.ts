import { holdsRole } from '#lib/access/read-actor.ts';
import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { recogniseHolder } from '#lib/credentials/authenticate-client.ts';
import { codeOf } from '#lib/credentials/authorization-codes.ts';
import { answerGrant } from '#lib/credentials/exchange.ts';
import type { GrantOutcome, TokenAnswer } from '#lib/credentials/grant-outcome.ts';
import { redeemCode } from '#lib/credentials/redeem-code.ts';
import { refusal, type TokenRefusal } from '#lib/credentials/refusal.ts';
import type { PresentedClient } from '#lib/oauth/client-authentication.ts';
import { type deviceCodeGrant, deviceRedirectUri } from '#lib/oauth/device-grant.ts';
import { toCodeChallenge } from '#lib/oauth/pkce.ts';
import { findResource } from '#lib/oauth/resource.ts';
import type { TokenRequest } from '#lib/oauth/token-request.ts';
import { sourcePrefix } from '#lib/platform/address.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { isDatabaseTrouble } from '#lib/platform/database-trouble.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { Conflict } from '#lib/platform/errors.ts';
import { err, type Result } from '#lib/platform/result.ts';
import { deviceTransactionDigest } from './authorization-handle.ts';
import { type Settled, settleWait } from './settle-wait.ts';

type DevicePoll = Extract<TokenRequest, { grantType: typeof deviceCodeGrant }>;

/** RFC 8628 §3.5: each slow_down adds this many seconds, up to a minute. */
const slowDownSeconds = 5;
const slowestSeconds = 60;
/** A poll may come this much early, in seconds: timers and networks are not exact. */
const earlySeconds = 1;

/**
 * A device asks whether it may go on (RFC 8628 §3.4, §3.5). Behind its code stands an ordinary authorization
 * transaction, made when somebody claimed it, and the device code is the PKCE verifier of that transaction's
 * authorization code: once it is ready, the poll takes it and redeems it as any client would, under every check of that
 * grant. A device whose answer was lost asks again and is told `invalid_grant`, and what the lost answer carried ends.
 *
 * Trouble that passes is answered `authorization_pending`: devices end on every other word (§3.5), and would throw a
 * person's half hour away for a database that was restarted.
 */
export async function redeemDeviceCode(
  ctx: Ctx,
  presented: PresentedClient,
  request: DevicePoll,
): Promise<Result<TokenAnswer, TokenRefusal>> {
  try {
    const outcome = await answerGrant(ctx, presented, 'device_code', (asClient, clientId) =>
      poll(asClient, clientId, presented, request),
    );
    if (outcome.ok || outcome.error.code !== 'temporarily_unavailable') return outcome;
    return err({ ...outcome.error, code: 'authorization_pending' });
  } catch (error) {
    if (isDatabaseTrouble(error)) return err(noAnswerNow);
    throw error;
  }
}

type DeviceRow = {
  id: string;
  client_id: string;
  state: string;
  address: string | null;
  expires_at: Date;
  polled_at: Date | null;
};

async function poll(
  ctx: Ctx,
  clientId: string,
  presented: PresentedClient,
  request: DevicePoll,
): Promise<GrantOutcome> {
  const { rows } = await ctx.db.hot.query<DeviceRow>({
    name: 'registration.device.find',
    text: 'SELECT id, client_id, state, address, expires_at, polled_at FROM device_request WHERE code_challenge = $1',
    values: [toCodeChallenge(request.deviceCode)],
  });
  const device = rows[0]?.client_id === clientId ? rows[0] : null;
  const wait = device && (await findWait(ctx, device.id));
  const holder = await recogniseHolder(ctx, clientId, presented, {
    held: wait && { instance_id: wait.instanceId },
    isFirstAttempt: true,
  });
  if (!holder.ok) return holder;
  // Whoever holds a code nobody has claimed is still nobody: anyone can ask for one, and history is not theirs to fill.
  const { party } = holder.value;
  const refuse = (refused: TokenRefusal) => err({ ...refused, party });
  if (!device) {
    // Somebody else's: nothing happens to its device.
    if (rows[0]) noteAnonymousRefusal(ctx, 'token', 'device code of another client');
    return refuse(unknownDeviceCode);
  }
  // Before anything is noted or taken: whoever copied a code must neither slow its device down nor use it up.
  if (!isSamePlace(device.address, ctx.address)) return refuse(otherAddress);
  if (wait && request.resource !== null && findResource([wait.resource], request.resource) === null) {
    return refuse(otherResource);
  }
  const now = ctx.clock.now();
  if (!(await mayAskNow(ctx, device, now))) return refuse(slowDown);
  if (device.state === 'ended') return refuse(notRecognised);
  // What was handed out before the end may still be on its way to be redeemed.
  if (device.expires_at <= now && wait?.status !== 'continued') return refuse(expiredDeviceCode);
  if (!wait) return refuse(notFinished);
  const settled = await settle(ctx, device.id, wait);
  if (settled === null) return refuse(noAnswerNow);
  if (settled.kind === 'refused') {
    return refuse(
      refusal(now < wait.deadlineAt ? 'access_denied' : 'expired_token', 'refused', settled.description, {
        ...(settled.errorUri ? { errorUri: settled.errorUri } : {}),
      }),
    );
  }
  if (settled.kind === 'open' && settled.state !== 'continued') {
    return refuse(stillOpen[settled.state] ?? notDecided);
  }
  return redeemCode(
    ctx,
    clientId,
    presented,
    {
      grantType: 'authorization_code',
      code: codeOf(ctx, wait.id),
      codeVerifier: request.deviceCode,
      redirectUri: deviceRedirectUri,
      resource: request.resource,
    },
    { grantKind: 'device_code', isAssertionSpent: true },
  );
}

/** An IPv4 and an IPv6 address of one device cannot be compared. */
function isSamePlace(asked: string | null, polls: string | null): boolean {
  if (!asked || !polls || asked.includes(':') !== polls.includes(':')) return true;
  return sourcePrefix(asked) === sourcePrefix(polls);
}

type DeviceWait = NonNullable<Awaited<ReturnType<typeof findWait>>>;

function findWait(ctx: Ctx, deviceId: string) {
  return ctx.db.prisma.authorizationTransaction.findUnique({
    where: { handleDigest: deviceTransactionDigest(deviceId) },
  });
}

/** Null when another process is at this very wait. */
async function settle(ctx: Ctx, deviceId: string, wait: DeviceWait): Promise<Settled | null> {
  if (wait.status === 'continued') return { kind: 'open', state: 'continued' };
  const isOwner = await mayStillOwn(ctx, wait);
  try {
    return await withTransaction(ctx, async (tx) => {
      const settled = await settleWait(tx, ctx, wait.id, { isOwner });
      if (settled.kind !== 'open') {
        await tx.deviceRequest.updateMany({ where: { id: deviceId }, data: { state: 'settled' } });
      }
      return settled;
    });
  } catch (error) {
    if (error instanceof Conflict) return null;
    throw error;
  }
}

/** Ends of a session that say nothing against whoever had it. */
const harmlessEnds: readonly string[] = ['signed out', 'rotated'];

/**
 * Approving took its time: who claimed must still be one who may have agents, and the session they claimed in must not
 * have been taken from them meanwhile, or whoever had hijacked it would get what it asked for.
 */
async function mayStillOwn(ctx: Ctx, wait: DeviceWait): Promise<boolean> {
  const session = await ctx.db.prisma.personSession.findUnique({
    where: { id: wait.sessionId },
    select: { endedAt: true, endCause: true },
  });
  if (session?.endedAt && !harmlessEnds.includes(session.endCause ?? '')) return false;
  return holdsRole(ctx, wait.personId, 'owner');
}

/**
 * Notes the poll, unless it comes sooner than this device was told to ask. One statement: two at once are not both in
 * time, and neither waits for the other. What comes within a second of the last is not even written down.
 */
async function mayAskNow(ctx: Ctx, device: DeviceRow, now: Date): Promise<boolean> {
  if (device.polled_at && Math.abs(now.getTime() - device.polled_at.getTime()) < earlySeconds * 1000)
    return false;
  const { rows } = await ctx.db.hot.query<{ in_time: boolean }>({
    name: 'registration.device.poll',
    text: `UPDATE device_request d SET polled_at = $2,
             interval_seconds = CASE WHEN f.in_time THEN d.interval_seconds
               ELSE least(${slowestSeconds}, d.interval_seconds + ${slowDownSeconds}) END
        FROM (SELECT id, polled_at IS NULL
                      OR $2::timestamptz - polled_at >= make_interval(secs => interval_seconds - ${earlySeconds}) AS in_time
                FROM device_request WHERE id = $1 FOR UPDATE SKIP LOCKED) f
       WHERE d.id = f.id RETURNING f.in_time`,
    values: [device.id, now],
  });
  return rows[0]?.in_time ?? false;
}

const unknownDeviceCode = refusal(
  'invalid_grant',
  'unknown device code',
  'This device code is not valid. Start the sign-in again.',
);
const otherAddress = refusal(
  'access_denied',
  'other address',
  'The code was asked for in one network and is redeemed from another. Start the sign-in again.',
);
const otherResource = refusal(
  'invalid_target',
  'other resource',
  'The code was asked for for another resource.',
);
const expiredDeviceCode = refusal(
  'expired_token',
  'device code expired',
  'Nobody finished this sign-in in time. Start it again.',
);
const notRecognised = refusal(
  'access_denied',
  'not recognised',
  'Whoever typed the code did not recognise this device, so the sign-in ended. Start it again.',
);
const slowDown = refusal('slow_down', 'slow down', 'Ask less often.');
const notFinished = refusal('authorization_pending', 'not claimed', 'Nobody has finished this sign-in yet.');
const notDecided = refusal('authorization_pending', 'not decided', 'An approver has not decided yet.');
const noAnswerNow = refusal(
  'authorization_pending',
  'no answer now',
  'This cannot be told just now. Ask again.',
);

/** States in which asking on is of no use, and nothing is left to end. */
const stillOpen: Partial<Record<Extract<Settled, { kind: 'open' }>['state'], TokenRefusal>> = {
  'client gone': expiredDeviceCode,
  'approved too late': expiredDeviceCode,
  ended: refusal('access_denied', 'ended', 'This sign-in has ended. Start it again.'),
};
