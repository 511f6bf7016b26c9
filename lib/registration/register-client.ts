import type { Decision } from '#guard/decide/index.ts';
import { insertEvents, toEventRow } from '#lib/audit/record.ts';
import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import {
  type ClientMetadata,
  type RegisteredMetadata,
  toRegisteredMetadata,
  toSoftwareFingerprint,
} from '#lib/oauth/client-metadata.ts';
import { deviceCodeGrant } from '#lib/oauth/device-grant.ts';
import { digestOf } from '#lib/platform/canonical-json.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { randomToken, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Db } from '#lib/platform/db.ts';
import { Forbidden, LimitExceeded, Unavailable } from '#lib/platform/errors.ts';
import { type GroupCommit, groupCommit, isConnectionLoss } from '#lib/platform/group-commit.ts';
import { newId } from '#lib/platform/ids.ts';
import { decide } from '#lib/policy/policies.ts';
import { createClientSecret, needsSecret } from './client-secret.ts';
import type { Intake } from './intake.ts';
import { quarantineSeconds } from './quarantine.ts';
import {
  createRegistrationToken,
  type RegistrationManagement,
  registrationUri,
} from './registration-token.ts';
import { type IntakeSource, intakeSource } from './store.ts';

export type RegisteredClient = {
  clientId: string;
  issuedAt: Date;
  metadata: RegisteredMetadata;
  /** Shown here once; only its digest is kept. */
  secret?: { value: string; expiresAt: Date };
  management: RegistrationManagement;
};

export type Registrar = {
  /**
   * Registers a client into quarantine (RFC 7591 §3): it gets an id and nothing else. The client row and its event
   * are written in one statement, shared with whoever registers at the same moment; from birth the row names who
   * answers for it, when it ends, and the handle that ends it.
   *
   * Throws `Forbidden` from a network registration is not taken from or where policy refuses, `LimitExceeded` over
   * budget, `Unavailable` when it cannot be known whether the row was written.
   */
  registerClient(ctx: Ctx, metadata: ClientMetadata): Promise<RegisteredClient>;
};

type Row = { client: object; event: object };

/** One registrar a process: it gathers registrations into shared statements. */
export function createRegistrar(db: Db, intake: Intake): Registrar {
  const write: GroupCommit<Row, void> = groupCommit({
    maxRows: 64,
    maxInFlight: 1,
    patienceMs: 25,
    isOutcomeUnknown: isConnectionLoss,
    async run(rows) {
      await db.hot.query({
        name: 'register-clients',
        text: insertClients,
        values: [JSON.stringify(rows.map((row) => row.client)), JSON.stringify(rows.map((row) => row.event))],
      });
      return rows.map(() => undefined);
    },
  });

  return {
    async registerClient(ctx, metadata) {
      const { prefix, source, policyVersion } = await admitRegistration(ctx, intake, metadata);
      await intake.makeRoom(ctx, prefix);
      const { row, registered } = toRows(ctx, metadata, prefix, source, ctx.clock.now(), policyVersion);
      try {
        await write(row);
      } catch (error) {
        if (!(isConnectionLoss(error) && (await wasWritten(db, registered.clientId)))) {
          throw new Unavailable('The registration could not be stored. Try again.', {}, { cause: error });
        }
      }
      return registered;
    },
  };
}

/**
 * Whether this may be registered from here now: the network, the budgets, and policy. Throws `Forbidden` or
 * `LimitExceeded`, counted as a refusal.
 */
export async function admitRegistration(
  ctx: Ctx,
  intake: Intake,
  metadata: ClientMetadata,
): Promise<{ prefix: string; source: IntakeSource; policyVersion: string }> {
  const { prefix, isAccepted } = intake.sourceOf(ctx.address);
  if (!isAccepted) {
    noteAnonymousRefusal(ctx, 'register', 'network');
    throw new Forbidden('Registrations are not taken from this network.', { reason: 'network' });
  }
  await takeFromBudget(ctx, intake, prefix);
  const source = await intakeSource(ctx);
  const decision = judge(classOf(metadata), redirectOf(metadata), source.id, ctx.clock.now());
  if (decision.outcome === 'deny') {
    noteAnonymousRefusal(ctx, 'register', 'policy');
    throw new Forbidden(decision.reasons[0]?.text ?? 'Policy does not permit this registration.', {
      reason: 'policy',
    });
  }
  return { prefix, source, policyVersion: decision.policyVersion };
}

/** Takes one registration, or one use of a registration by its client, out of the budgets. */
export async function takeFromBudget(ctx: Ctx, intake: Intake, prefix: string): Promise<void> {
  try {
    await intake.admit(prefix);
  } catch (error) {
    if (error instanceof LimitExceeded)
      noteAnonymousRefusal(ctx, 'register', `budget ${error.detail.refusal}`);
    throw error;
  }
}

const judged = new Map<string, { decision: Decision; atMs: number }>();
/** Policy may look at the time, so an answer is good for this long at most, in milliseconds. */
const judgedForMs = 1_000;

/** What policy says of a registration: a question with few different askers, asked thousands of times a second. */
function judge(
  clientClass: string,
  redirect: ReturnType<typeof redirectOf>,
  sourceId: string,
  at: Date,
): Decision {
  const key = `${clientClass} ${redirect} ${sourceId}`;
  const known = judged.get(key);
  if (known && Math.abs(at.getTime() - known.atMs) < judgedForMs) return known.decision;
  const decision = decide('register', { client: { id: '', clientClass, redirect }, sourceId, at }, null);
  judged.set(key, { decision, atMs: at.getTime() });
  return decision;
}

/** After a lost connection the commit may or may not have happened: the id tells. */
async function wasWritten(db: Db, clientId: string): Promise<boolean> {
  try {
    const { rowCount } = await db.hot.query('SELECT 1 FROM client WHERE id = $1', [clientId]);
    return rowCount === 1;
  } catch {
    return false;
  }
}

const clientColumns =
  'id, kind, name, metadata, metadata_digest, fingerprint, redirect_uris, token_endpoint_auth_method, grant_types, jwks, ' +
  'secret_digest, secret_expires_at, source_id, custodian, quarantine_ends_at, revocation_handle, source_address, ' +
  'source_prefix, user_agent, registered_at, registration_token_digest';

const insertClients = `WITH registered AS (
  INSERT INTO client (${clientColumns})
  SELECT ${clientColumns} FROM jsonb_populate_recordset(NULL::client, $1::jsonb)
) ${insertEvents('$2')}`;

function toRows(
  ctx: Ctx,
  metadata: ClientMetadata,
  prefix: string,
  source: IntakeSource,
  now: Date,
  policyVersion: string,
): { row: Row; registered: RegisteredClient } {
  const clientId = newId('client');
  const registeredMetadata = toRegisteredMetadata(metadata);
  const metadataDigest = digestOf(registeredMetadata);
  const secret = needsSecret(metadata) ? createClientSecret(now) : undefined;
  const management = createRegistrationToken();
  const quarantineEndsAt = addSeconds(now, quarantineSeconds);
  const event = toEventRow(ctx, {
    kind: 'client.register',
    subjectId: clientId,
    clientId,
    data: {
      kind: 'dynamic',
      name: metadata.clientName?.slice(0, 200) ?? '',
      metadataDigest,
      redirectUris: registeredMetadata.redirect_uris,
      tokenEndpointAuthMethod: metadata.tokenEndpointAuthMethod,
      sourceId: source.id,
      sourcePrefix: prefix,
      quarantineEndsAt: quarantineEndsAt.toISOString(),
      policyVersion,
    },
  });
  const client = {
    id: clientId,
    kind: 'dynamic',
    name: metadata.clientName ?? '',
    metadata: registeredMetadata,
    metadata_digest: metadataDigest,
    fingerprint: toSoftwareFingerprint(metadata),
    redirect_uris: registeredMetadata.redirect_uris,
    token_endpoint_auth_method: metadata.tokenEndpointAuthMethod,
    grant_types: metadata.grantTypes,
    jwks: metadata.jwks,
    secret_digest: secret ? sha256(secret.value) : null,
    secret_expires_at: secret?.expiresAt ?? null,
    source_id: source.id,
    custodian: source.custodian,
    quarantine_ends_at: quarantineEndsAt,
    revocation_handle: randomToken(18),
    source_address: ctx.address,
    source_prefix: prefix,
    user_agent: ctx.userAgent?.slice(0, 500) ?? null,
    registered_at: now,
    registration_token_digest: management.digest,
  };
  return {
    row: { client, event },
    registered: {
      clientId,
      issuedAt: now,
      metadata: registeredMetadata,
      management: { accessToken: management.value, uri: registrationUri(ctx.site, clientId) },
      ...(secret ? { secret } : {}),
    },
  };
}

/** A client that only proves itself by key or secret and needs no person is a service; any other is interactive. */
export function classOf(metadata: Pick<ClientMetadata, 'grantTypes'>): string {
  const needsPerson = metadata.grantTypes.some(
    (grant) => grant === 'authorization_code' || grant === deviceCodeGrant,
  );
  return needsPerson ? 'interactive' : 'headless service';
}

export function redirectOf(metadata: Pick<ClientMetadata, 'redirectUris'>) {
  const kinds = new Set(metadata.redirectUris.map((redirect) => redirect.kind));
  if (kinds.size === 0) return 'none' as const;
  // The least provable place decides: a mixed set is as good as its weakest redirect.
  if (kinds.has('private-use scheme')) return 'private-use' as const;
  return kinds.has('loopback') ? ('loopback' as const) : ('https' as const);
}
