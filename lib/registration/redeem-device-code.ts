import { holdsRole } from '#lib/access/read-actor.ts';
import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import { recogniseHolder } from '#lib/credentials/authenticate-client.ts';
import { codeOf } from '#lib/credentials/authorization-codes.ts';
import { answerGrant } from '#lib/credentials/exchange.ts';
import type { GrantOutcome, TokenAnswer } from '#lib/credentials/grant-outcome.ts';
import { redeemCode } from '#lib/credentials/redeem-code.ts';
import { refusal, type TokenRefusal, tryAgain } from '#lib/credentials/refusal.ts';
import type { PresentedClient } from '#lib/oauth/client-authentication.ts';
import { type deviceCodeGrant, deviceRedirectUri } from '#lib/oauth/device-grant.ts';
import { toCodeChallenge } from '#lib/oauth/pkce.ts';
import type { TokenRequest } from '#lib/oauth/token-request.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { withTransaction } from '#lib/platform/db.ts';
import { Conflict } from '#lib/platform/errors.ts';
import { err, type Result } from '#lib/platform/result.ts';
import { deviceTransactionDigest } from './authorization-handle.ts';
import { type Settled, settleWait, type WaitRow } from './settle-wait.ts';

type DevicePoll = Extract<TokenRequest, { grantType: typeof deviceCodeGrant }>;

/** RFC 8628 §3.5: each slow_down adds this many seconds. */
const slowDownSeconds = 5;
/** A poll may come this much early, in seconds: timers and networks are not exact. */
const earlySeconds = 1;

/**
 * A device asks whether it may go on (RFC 8628 §3.4, §3.5). Behind its code stands an ordinary authorization
 * transaction, made when somebody claimed it, and the device code is the PKCE verifier of that transaction's
 * authorization code: once it is ready, the poll takes it and redeems it as any client would, under every check of that
 * grant. A device whose answer was lost asks again and is told `invalid_grant`, and what the lost answer carried ends.
 */
export function redeemDeviceCode(
  ctx: Ctx,
  presented: PresentedClient,
  request: DevicePoll,
): Promise<Result<TokenAnswer, TokenRefusal>> {
  return answerGrant(ctx, presented, 'device_code', (asClient, clientId) =>
    poll(asClient, clientId, presented, request),
  );
}

type DeviceRow = {
  id: string;
  client_id: string;
  state: string;
  expires_at: Date;
};

async function poll(
  ctx: Ctx,
  clientId: string,
  presented: PresentedClient,
  request: DevicePoll,
): Promise<GrantOutcome> {
  const { rows } = await ctx.db.hot.query<DeviceRow>({
    name: 'registration.device.find',
    text: 'SELECT id, client_id, state, expires_at FROM device_request WHERE code_challenge = $1',
    values: [toCodeChallenge(request.deviceCode)],
  });
  const device = rows[0]?.client_id === clientId ? rows[0] : null;
  const wait = device && (await findWait(ctx, device.id));
  const holder = await recogniseHolder(ctx, clientId, presented, {
    held: wait && { instance_id: wait.instanceId },
    isFirstAttempt: true,
  });
  if (!holder.ok) return holder;
  const party = { ...holder.value.party, proved: holder.value.party.proved || device !== null };
  const refuse = (refused: TokenRefusal) => err({ ...refused, party });
  if (!device) {
    if (rows[0]) await recordForeignPoll(ctx, rows[0], clientId);
    return refuse(unknownDeviceCode);
  }
  const now = ctx.clock.now();
  if (device.state === 'ended') return refuse(otherNumber);
  // What was handed out before the end may still be on its way to be redeemed.
  if (device.expires_at <= now && wait?.status !== 'continued') return refuse(expiredDeviceCode);
  if (!(await mayAskNow(ctx, device.id, now))) return refuse(slowDown);
  if (!wait) return refuse(notTyped);
  const settled = await settle(ctx, wait);
  if (settled === null) return refuse(tryAgain);
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

type DeviceWait = WaitRow & { personId: string };

function findWait(ctx: Ctx, deviceId: string): Promise<DeviceWait | null> {
  return ctx.db.prisma.authorizationTransaction.findUnique({
    where: { handleDigest: deviceTransactionDigest(deviceId) },
  });
}

/** Null when another process is at this very wait. */
async function settle(ctx: Ctx, wait: DeviceWait): Promise<Settled | null> {
  // Read as it is, and locked only where something moves: most polls find nothing to do.
  if (wait.status === 'continued') return { kind: 'open', state: 'continued' };
  // Approving took its time: who claimed must still be one who may have agents.
  const isOwner = await holdsRole(ctx, wait.personId, 'owner');
  try {
    return await withTransaction(ctx, (tx) => settleWait(tx, ctx, wait, { isOwner }));
  } catch (error) {
    if (error instanceof Conflict) return null;
    throw error;
  }
}

/** Notes the poll, unless it comes sooner than this device was told to ask. One statement: two at once are not both in time. */
async function mayAskNow(ctx: Ctx, deviceId: string, now: Date): Promise<boolean> {
  const { rows } = await ctx.db.hot.query<{ in_time: boolean }>({
    name: 'registration.device.poll',
    text: `UPDATE device_request d SET polled_at = $2,
             interval_seconds = d.interval_seconds + CASE WHEN f.in_time THEN 0 ELSE ${slowDownSeconds} END
        FROM (SELECT id, polled_at IS NULL
                      OR $2::timestamptz - polled_at >= make_interval(secs => interval_seconds - ${earlySeconds}) AS in_time
                FROM device_request WHERE id = $1 FOR UPDATE) f
       WHERE d.id = f.id RETURNING f.in_time`,
    values: [deviceId, now],
  });
  return rows[0]?.in_time ?? false;
}

/** Somebody else's device code: nothing happens to its device, and history says who tried. */
async function recordForeignPoll(ctx: Ctx, device: DeviceRow, presentedBy: string): Promise<void> {
  const event = toEventRow(ctx, {
    kind: 'refusal.authenticated',
    subjectId: device.id,
    outcome: 'refused',
    clientId: device.client_id,
    reason: 'presented by another client',
    data: { operation: 'token', grant: 'device_code', presentedBy },
  });
  await ctx.db.hot.query(insertEvents('$1'), [JSON.stringify([event])]);
}

const unknownDeviceCode = refusal(
  'invalid_grant',
  'unknown device code',
  'This device code is not valid. Start the sign-in again.',
);
const expiredDeviceCode = refusal(
  'expired_token',
  'device code expired',
  'Nobody finished this sign-in in time. Start it again.',
);
const otherNumber = refusal(
  'access_denied',
  'other number',
  'Another number was picked than this device shows, so the sign-in ended. Start it again.',
);
const slowDown = refusal('slow_down', 'slow down', 'Ask less often.');
const notTyped = refusal('authorization_pending', 'not typed', 'Nobody has finished typing the code yet.');
const notDecided = refusal('authorization_pending', 'not decided', 'An approver has not decided yet.');

/** States in which asking on is of no use, and nothing is left to end. */
const stillOpen: Partial<Record<Extract<Settled, { kind: 'open' }>['state'], TokenRefusal>> = {
  'client gone': expiredDeviceCode,
  'approved too late': expiredDeviceCode,
  ended: refusal('access_denied', 'ended', 'This sign-in has ended. Start it again.'),
};
