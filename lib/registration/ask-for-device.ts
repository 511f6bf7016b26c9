import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import {
  authenticateClient,
  presentedClientId,
  replayedAssertion,
  spendAssertion,
} from '#lib/credentials/authenticate-client.ts';
import { recallStanding } from '#lib/credentials/standing.ts';
import type { PresentedClient } from '#lib/oauth/client-authentication.ts';
import { isClientIdUrl } from '#lib/oauth/client-id-metadata.ts';
import {
  type DeviceAuthorizationRequest,
  deviceCodeGrant,
  toUserCode,
  userCodeLength,
  userCodeLetters,
} from '#lib/oauth/device-grant.ts';
import { type OAuthErrorAnswer, oauthError } from '#lib/oauth/oauth-error.ts';
import { toCodeChallenge } from '#lib/oauth/pkce.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { hmac, randomBelow, randomToken, type Vault } from '#lib/platform/crypto.ts';
import { type Ctx, consoleUrl } from '#lib/platform/ctx.ts';
import { Forbidden, LimitExceeded } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import type { Intake } from './intake.ts';
import { chooseResource } from './judge-authorization.ts';

/** How long a device may ask, in seconds: typing, claiming and an approver's decision have to fit. */
export const deviceSeconds = 1_800;
/** How long its code can be typed, in seconds. */
export const typingSeconds = 900;
/** RFC 8628 §3.5: how often a device may ask, in seconds, until it is told to slow down. */
export const pollSeconds = 5;

/**
 * Devices waiting at once, of one client in one network and of one network in all; about, since two that ask at once do
 * not see each other. Clients somebody has claimed are not kept out by what strangers near them do.
 */
const maxOfClient = 5;
const maxOfSource = 50;

export type DeviceCodes = {
  deviceCode: string;
  userCode: string;
  verificationUri: string;
  expiresInSeconds: number;
  intervalSeconds: number;
};

/**
 * Gives a device a pair of codes (RFC 8628 §3.2): one it keeps and asks with, one it shows. Neither is worth anything
 * before a signed-in owner has typed the one it shows, and claims or continues the client as in a browser.
 *
 * For clients registered here only: the id of a metadata document is shared by everybody who uses that software, so that
 * whoever types a code could not be told whose device asks. Bounded like registrations, out of the same budget. Stores
 * digests of both codes. Throws `Forbidden` and `LimitExceeded` as registration does.
 */
export async function askForDevice(
  ctx: Ctx & { vault: Vault },
  intake: Intake,
  presented: PresentedClient,
  request: DeviceAuthorizationRequest,
): Promise<Result<DeviceCodes, OAuthErrorAnswer>> {
  const clientId = presentedClientId(presented);
  const refuse = (answer: OAuthErrorAnswer, reason: string = answer.body.error) => {
    noteAnonymousRefusal(ctx, 'device', reason);
    return err(answer);
  };
  if (clientId !== null && isClientIdUrl(clientId)) {
    return refuse(
      oauthError(
        'unauthorized_client',
        'A client known by its metadata document cannot sign in by code. Use a browser.',
      ),
      'metadata document',
    );
  }
  const standing = clientId === null ? null : await recallStanding(ctx, clientId);
  const authenticated = await authenticateClient(ctx, standing, presented);
  if (!authenticated.ok) {
    const { code, description, challenge, reason } = authenticated.error;
    return refuse(oauthError(code, description, challenge ? { challenge } : {}), reason);
  }
  const { client } = authenticated.value.standing;
  if (!client.grantTypes.includes(deviceCodeGrant)) {
    return refuse(
      oauthError('unauthorized_client', 'This client is not registered for the device_code grant.'),
    );
  }
  const resource = await chooseResource(ctx, request.resource);
  if (resource === 'unknown') {
    return refuse(oauthError('invalid_target', 'The requested resource is not a server known here.'));
  }
  const { prefix, isAccepted } = intake.sourceOf(ctx.address);
  if (!isAccepted) {
    noteAnonymousRefusal(ctx, 'device', 'network');
    throw new Forbidden('Sign-ins by code are not taken from this network.', { reason: 'network' });
  }
  await takeFromBudget(ctx, intake, prefix);
  if (!(await spendAssertion(ctx, authenticated.value.spend))) {
    return refuse(
      oauthError(replayedAssertion.code, replayedAssertion.description),
      replayedAssertion.reason,
    );
  }
  return ok(await store(ctx, { clientId: client.id, resource, scope: request.scope, prefix }));
}

async function takeFromBudget(ctx: Ctx, intake: Intake, prefix: string): Promise<void> {
  try {
    await intake.admit(prefix);
  } catch (error) {
    if (!(error instanceof LimitExceeded)) throw error;
    noteAnonymousRefusal(ctx, 'device', `budget ${error.detail.refusal}`);
    throw new LimitExceeded('Too many sign-ins at the moment. Try again later.', error.detail);
  }
}

const insertDevice = {
  name: 'registration.device',
  text: `WITH asked AS (
    INSERT INTO device_request (id, code_challenge, user_code_digest, number, choices, client_id, resource, scope,
      address, source_prefix, user_agent, created_at, typed_until, expires_at, interval_seconds)
    SELECT $1, $2, $3, $4, $5::int[], $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
     WHERE (SELECT count(*) FROM device_request d WHERE d.client_id = $6 AND d.expires_at > $12
              AND d.source_prefix = $10 AND d.state IN ('asked', 'opened', 'matched')) < ${maxOfClient}
       AND (EXISTS (SELECT 1 FROM instance i WHERE i.client_id = $6 AND i.state IN ('quarantined', 'active', 'suspended'))
         OR (SELECT count(*) FROM device_request d WHERE d.source_prefix = $10 AND d.expires_at > $12
               AND d.state IN ('asked', 'opened', 'matched')) < ${maxOfSource})
    RETURNING id
  ), event AS (${insertEvents('$16', 'WHERE EXISTS (SELECT 1 FROM asked)')})
  SELECT id FROM asked`,
};

async function store(
  ctx: Ctx & { vault: Vault },
  asked: { clientId: string; resource: string | null; scope: string; prefix: string },
): Promise<DeviceCodes> {
  const now = ctx.clock.now();
  const id = newId('deviceRequest');
  const deviceCode = randomToken();
  const letters = Array.from({ length: userCodeLength }, () => userCodeLetters[randomBelow(20)]).join('');
  const choices = threeNumbers();
  const number = choices[randomBelow(choices.length)] as number;
  const event = toEventRow(ctx, {
    kind: 'device.ask',
    subjectId: id,
    clientId: asked.clientId,
    data: { resource: asked.resource, sourcePrefix: asked.prefix },
  });
  const { rowCount } = await ctx.db.hot.query({
    ...insertDevice,
    values: [
      id,
      toCodeChallenge(deviceCode),
      userCodeDigest(ctx.vault, letters),
      number,
      choices,
      asked.clientId,
      asked.resource,
      asked.scope,
      ctx.address,
      asked.prefix,
      ctx.userAgent?.slice(0, 500) ?? null,
      now,
      addSeconds(now, typingSeconds),
      addSeconds(now, deviceSeconds),
      pollSeconds,
      JSON.stringify([event]),
    ],
  });
  if (!rowCount) {
    noteAnonymousRefusal(ctx, 'device', 'too many waiting');
    throw new LimitExceeded('Too many sign-ins by code wait here already. Finish one, or try again later.', {
      retryAfterSeconds: 60,
    });
  }
  return {
    deviceCode,
    userCode: toUserCode(letters, number),
    verificationUri: consoleUrl(ctx.site, '/device'),
    expiresInSeconds: deviceSeconds,
    intervalSeconds: pollSeconds,
  };
}

/** Three numbers below a hundred, no two alike, in order. */
function threeNumbers(): number[] {
  const numbers = new Set<number>();
  while (numbers.size < 3) numbers.add(randomBelow(100));
  return [...numbers].sort((left, right) => left - right);
}

/** What a user code is found by. Under a key: thirty-four bits would be tried out from a copy of the database. */
export function userCodeDigest(vault: Vault, letters: string): string {
  return hmac(vault.deriveKey('user code v1'), letters);
}
