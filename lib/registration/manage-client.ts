import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { endTokensOfInstances } from '#lib/credentials/end-tokens-of-instances.ts';
import {
  type ClientMetadata,
  type RegisteredMetadata,
  toRegisteredMetadata,
  toSoftwareFingerprint,
} from '#lib/oauth/client-metadata.ts';
import { digestOf } from '#lib/platform/canonical-json.ts';
import { matchesDigest, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Invalid, Unauthenticated } from '#lib/platform/errors.ts';
import { createClientSecret, needsSecret } from './client-secret.ts';
import type { Intake } from './intake.ts';
import { proposeMetadata, takeBackPendingMetadata } from './pending-metadata.ts';
import { admitRegistration, type RegisteredClient, takeFromBudget } from './register-client.ts';
import {
  createRegistrationToken,
  type RegistrationManagement,
  registrationUri,
} from './registration-token.ts';
import { replaceMetadata } from './replace-metadata.ts';

/** What a client presents to manage its own registration: the URL's client_id and its registration access token. */
export type Manager = { clientId: string; token: string };

/**
 * Reads a registration for the client itself (RFC 7592 §2.1). The token it came with is replaced; the answer carries the
 * new one.
 *
 * @anonymous The registration access token is the permission; it opens this one registration and nothing else.
 */
export async function readRegistration(
  ctx: Ctx,
  intake: Intake,
  manager: Manager,
): Promise<RegisteredClient> {
  await requireToken(ctx, manager);
  await takeFromBudget(ctx, intake, intake.sourceOf(ctx.address).prefix);
  const { client, management } = await open(ctx.db.prisma, ctx, manager);
  return { clientId: client.id, issuedAt: client.registeredAt, metadata: client.metadata, management };
}

/**
 * Replaces a registration by the client itself (RFC 7592 §2.2), whole. What could not be registered from here now cannot
 * be changed to either, and it counts as much. What nobody decided on yet is simply other metadata. Of an approved client
 * a change waits beside what was approved until a person has looked at it; where it moves redirects or keys, the client
 * stops until then.
 *
 * @anonymous The registration access token is the permission; it opens this one registration and nothing else.
 * @throws Unauthenticated when the token is not this client's; `Invalid` for a secret that is not the one issued; as
 * `registerClient` for the rest.
 */
export async function replaceRegistration(
  ctx: Ctx,
  intake: Intake,
  manager: Manager,
  metadata: ClientMetadata,
  presentedSecret: string | null,
): Promise<RegisteredClient> {
  await requireToken(ctx, manager);
  await admitRegistration(ctx, intake, metadata);
  return withTransaction(ctx, async (tx) => {
    const { client, management } = await open(tx, ctx, manager);
    if (presentedSecret !== null && !matchesDigest(presentedSecret, client.secretDigest ?? '')) {
      throw new Invalid('client_secret is not the one that was issued.');
    }
    const now = ctx.clock.now();
    const registered = toRegisteredMetadata(metadata);
    const next = {
      name: metadata.clientName ?? '',
      metadata: registered,
      metadataDigest: digestOf(registered),
      fingerprint: toSoftwareFingerprint(metadata),
      redirectUris: registered.redirect_uris,
      tokenEndpointAuthMethod: metadata.tokenEndpointAuthMethod,
      grantTypes: metadata.grantTypes,
      jwks: metadata.jwks,
    };
    const asked = asClient(ctx, client.id);
    const answer = { clientId: client.id, issuedAt: client.registeredAt, management };
    // RFC 7592 §2.2: the answer says what is registered, which the server may have decided otherwise.
    if (await proposeMetadata(tx, asked, client, next)) return { ...answer, metadata: client.metadata };
    await takeBackPendingMetadata(tx, asked, client.id);
    await replaceMetadata(tx, asked, client.id, next, {
      title: `${client.name || client.id} changed its registration`,
    });
    const hadSecret = client.secretDigest !== null;
    const secret = needsSecret(metadata) && !hadSecret ? createClientSecret(now) : undefined;
    if (secret || (hadSecret && !needsSecret(metadata))) {
      await tx.client.update({
        where: { id: client.id },
        data: {
          secretDigest: secret ? sha256(secret.value) : null,
          secretExpiresAt: secret?.expiresAt ?? null,
        },
      });
    }
    return { ...answer, metadata: registered, ...(secret ? { secret } : {}) };
  });
}

/**
 * Ends a registration by the client itself (RFC 7592 §2.3): its id becomes a tombstone, and everything issued to it ends
 * with it, at the guards too. Its agents stay with what was approved, for another client of theirs.
 *
 * @anonymous The registration access token is the permission; it only takes away, and only from this client.
 */
export async function endRegistration(ctx: Ctx, manager: Manager): Promise<void> {
  await requireToken(ctx, manager);
  await withTransaction(ctx, async (tx) => {
    const { client } = await open(tx, ctx, manager);
    const now = ctx.clock.now();
    const actor = asClient(ctx, client.id);
    await tx.client.update({
      where: { id: client.id },
      data: {
        forgottenAt: now,
        forgottenCause: 'deleted by client',
        secretDigest: null,
        registrationTokenDigest: null,
        formerRegistrationTokenDigest: null,
      },
    });
    const eventId = await recordEvent(tx, actor, {
      kind: 'client.delete',
      subjectId: client.id,
      clientId: client.id,
      after: { state: 'deleted by client' },
    });
    const instances = await tx.instance.findMany({
      where: { clientId: client.id, state: { in: ['quarantined', 'active', 'suspended'] } },
      select: { id: true, ownerId: true, agentId: true },
    });
    await tx.instance.updateMany({
      where: { id: { in: instances.map(({ id }) => id) } },
      data: { state: 'revoked', stateCause: 'deleted by client', stateSince: now, quarantineEndsAt: null },
    });
    await endTokensOfInstances(tx, actor, instances, {
      forGood: true,
      reason: 'deleted by client',
      parentEventId: eventId,
    });
    if (instances.length > 0) {
      await notify(tx, ctx, {
        personIds: [...new Set(instances.map((instance) => instance.ownerId))],
        kind: 'client.delete',
        title: `${client.name || client.id} ended its registration`,
        body: 'The client asked for it itself. Its tokens ended with it. What was approved for its agent stays; to go on, connect the client again.',
        href: `/clients/${encodeURIComponent(client.id)}`,
      });
    }
    await notifyChange(tx, 'clients', client.id);
  });
}

type ManagedClient = {
  id: string;
  name: string;
  metadata: RegisteredMetadata;
  registeredAt: Date;
  secretDigest: string | null;
};

/**
 * The registration this token opens, with the next token in its place. The one presented stays good until its successor
 * is used: an answer can be lost on its way. Whoever copied an earlier one has nothing.
 */
async function open(
  db: Pick<Tx, '$queryRaw'>,
  ctx: Ctx,
  { clientId, token }: Manager,
): Promise<{ client: ManagedClient; management: RegistrationManagement }> {
  const next = createRegistrationToken();
  const presented = sha256(token);
  const [client] = await db.$queryRaw<ManagedClient[]>`
    UPDATE client SET registration_token_digest = ${next.digest}, former_registration_token_digest = ${presented}
     WHERE id = ${clientId} AND kind = 'dynamic' AND (forgotten_at IS NULL OR forgotten_cause = 'unclaimed')
       AND ${presented} IN (registration_token_digest, former_registration_token_digest)
     RETURNING id, name, metadata, registered_at AS "registeredAt", secret_digest AS "secretDigest"`;
  if (!client) throw refuse(ctx);
  return { client, management: { accessToken: next.value, uri: registrationUri(ctx.site, client.id) } };
}

/** Asked before anything is begun: whoever guesses costs one read. */
async function requireToken(ctx: Ctx, { clientId, token }: Manager): Promise<void> {
  const { rowCount } = await ctx.db.hot.query({
    name: 'registration.manager',
    text: 'SELECT 1 FROM client WHERE id = $1 AND $2 IN (registration_token_digest, former_registration_token_digest)',
    values: [clientId, sha256(token)],
  });
  if (rowCount !== 1) throw refuse(ctx);
}

/** The same for a client that does not exist, one that is gone, and a token of another (RFC 7592 §2.1). */
function refuse(ctx: Ctx): Unauthenticated {
  noteAnonymousRefusal(ctx, 'manage registration', 'invalid_token');
  return new Unauthenticated('This token does not open this registration.');
}

function asClient(ctx: Ctx, clientId: string): Ctx {
  return { ...ctx, actor: { kind: 'client', clientId } };
}
