import type { KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { PublicJwk } from '#guard/protocol.ts';
import { requireRole, requireSystem } from '#lib/access/require.ts';
import { requireStepUp } from '#lib/access/step-up.ts';
import { appendFeedEntry, longestTokenSeconds } from '#lib/agents/feed.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import type { Vault } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type Db, notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, NotFound, Unavailable } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { generateEd25519, openPrivateJwk, openPublicJwk } from '#lib/platform/jws.ts';

/**
 * What a key signs. Keys are never shared between purposes, so that no message of one kind can pass for another
 * (RFC 8725 §3.11): `token` signs access tokens, `feed` what guards believe, `checkpoint` the heads of the log.
 */
export const keyPurposes = ['token', 'feed', 'checkpoint'] as const;
export type KeyPurpose = (typeof keyPurposes)[number];

/** A key that may sign right now. The private half never leaves the process that opened it. */
export type SigningKey = {
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly alg: 'EdDSA';
  readonly privateKey: KeyObject;
  readonly publicJwk: PublicJwk;
};

export type KeyState = 'next' | 'active' | 'retired' | 'killed';

/** A key somebody may have to verify with: about to be used, in use, or retired with tokens still alive. */
export type PublishedKey = {
  readonly kid: string;
  readonly state: Exclude<KeyState, 'killed'>;
  readonly publicJwk: PublicJwk;
  readonly publicKey: KeyObject;
};

/**
 * A retired key stays published this long: the longest token's life, and a minute for the 30 s of skew either side
 * may have.
 */
export const overlapSeconds = longestTokenSeconds + 60;
/** A signing key serves this long, in days, before the next one takes over. */
export const keyLifeDays = 30;

/**
 * Makes sure that every purpose has an active key and a next one, at each start. Idempotent, and safe when several
 * processes start at once: the database allows one active key a purpose, the others find it there.
 */
export async function ensureSigningKeys(ctx: Ctx): Promise<void> {
  requireSystem(ctx);
  const vault = requireVault(ctx);
  await withTransaction(ctx, async (tx) => {
    for (const purpose of keyPurposes) {
      const states = await tx.signingKey.findMany({
        where: { purpose, state: { in: ['active', 'next'] } },
        select: { state: true },
      });
      const has = (state: KeyState) => states.some((key) => key.state === state);
      let changed = false;
      if (!has('next')) {
        await createKey(tx, ctx, vault, purpose);
        changed = true;
      }
      if (!has('active')) {
        await activateNext(tx, ctx, purpose, []);
        await createKey(tx, ctx, vault, purpose);
        changed = true;
      }
      if (changed) await publishKeyChange(tx, ctx, purpose);
    }
  });
  forgetKeys(ctx.db);
}

export const rotateKeyInput = z.strictObject({ purpose: z.enum(keyPurposes) });

/**
 * The next key takes over and a new next one is made. The next key has been published since it was made, so whoever
 * verifies knows it already; the old one stays published until the last token it signed has expired. Rotation
 * therefore refuses nobody. Only an admin, or a job of the installation.
 */
export async function rotateSigningKey(
  ctx: Ctx,
  input: z.output<typeof rotateKeyInput>,
): Promise<{ kid: string; retiredKid: string | null }> {
  if (ctx.actor.kind !== 'system') {
    requireRole(ctx, 'admin');
    requireStepUp(ctx);
  }
  const vault = requireVault(ctx);
  const { purpose } = input;
  const result = await withTransaction(ctx, async (tx) => {
    const now = ctx.clock.now();
    const active = await tx.signingKey.findFirst({ where: { purpose, state: 'active' } });
    const parents: string[] = [];
    if (active) {
      const { count } = await tx.signingKey.updateMany({
        where: { kid: active.kid, state: 'active' },
        data: { state: 'retired', retiredAt: now, publishedUntil: addSeconds(now, overlapSeconds) },
      });
      if (count === 0) throw new Conflict('Somebody else has just changed this key.');
      parents.push(
        await recordEvent(tx, ctx, {
          kind: 'key.retire',
          subjectId: active.kid,
          data: { purpose, publishedUntil: addSeconds(now, overlapSeconds).toISOString() },
          before: { state: 'active' },
          after: { state: 'retired' },
        }),
      );
    }
    const kid = await activateNext(tx, ctx, purpose, parents);
    await createKey(tx, ctx, vault, purpose);
    await publishKeyChange(tx, ctx, purpose);
    return { kid, retiredKid: active?.kid ?? null };
  });
  forgetKeys(ctx.db);
  return result;
}

export const killKeyInput = z.strictObject({
  kid: z.string().min(1).max(128),
  reason: z.string().trim().min(1, 'Say why: everyone whose token dies will ask.').max(500),
});

/**
 * Ends a key at once and for good: everything it signed is dead here with this commit and at every guard with the
 * feed. If it was the active one, the next key takes its place in the same transaction. Only an admin, or the
 * installation itself when it finds a token nobody issued.
 */
export async function killSigningKey(
  ctx: Ctx,
  input: z.output<typeof killKeyInput>,
): Promise<{ kid: string }> {
  if (ctx.actor.kind !== 'system') {
    requireRole(ctx, 'admin');
    requireStepUp(ctx);
  }
  const vault = requireVault(ctx);
  await withTransaction(ctx, async (tx) => {
    const key = await tx.signingKey.findUnique({ where: { kid: input.kid } });
    if (!key) throw new NotFound();
    if (key.state === 'killed') throw new Conflict('This key is already dead.');
    const purpose = key.purpose as KeyPurpose;
    const { count } = await tx.signingKey.updateMany({
      where: { kid: key.kid, state: key.state },
      data: { state: 'killed', killedAt: ctx.clock.now() },
    });
    if (count === 0) throw new Conflict('Somebody else has just changed this key.');
    const killEvent = await recordEvent(tx, ctx, {
      kind: 'key.kill',
      subjectId: key.kid,
      reason: input.reason,
      data: { purpose },
      before: { state: key.state },
      after: { state: 'killed' },
    });
    if (key.state === 'active') await activateNext(tx, ctx, purpose, [killEvent]);
    if (key.state !== 'retired') await createKey(tx, ctx, vault, purpose);
    if (purpose === 'token') {
      const serverIds = await activeServerIds(tx);
      await appendFeedEntry(tx, ctx, serverIds, { kind: 'key.killed', kid: key.kid }, { subject: key.kid });
    }
    await publishKeyChange(tx, ctx, purpose);
  });
  forgetKeys(ctx.db);
  return { kid: input.kid };
}

async function createKey(tx: Tx, ctx: Ctx, vault: Vault, purpose: KeyPurpose): Promise<string> {
  const kid = newId('key');
  const { publicJwk, privateJwk } = generateEd25519(kid);
  await tx.signingKey.create({
    data: {
      kid,
      purpose,
      alg: 'EdDSA',
      publicJwk,
      privateSealed: vault.seal(JSON.stringify(privateJwk), kid),
      state: 'next',
      createdAt: ctx.clock.now(),
    },
  });
  await recordEvent(tx, ctx, {
    kind: 'key.create',
    subjectId: kid,
    data: { purpose, alg: 'EdDSA', publicJwk },
  });
  return kid;
}

async function activateNext(
  tx: Tx,
  ctx: Ctx,
  purpose: KeyPurpose,
  parentIds: readonly string[],
): Promise<string> {
  const next = await tx.signingKey.findFirstOrThrow({
    where: { purpose, state: 'next' },
    orderBy: { createdAt: 'asc' },
  });
  await tx.signingKey.update({
    where: { kid: next.kid },
    data: { state: 'active', activatedAt: ctx.clock.now() },
  });
  await recordEvent(tx, ctx, {
    kind: 'key.activate',
    subjectId: next.kid,
    parentIds,
    data: { purpose },
    before: { state: 'next' },
    after: { state: 'active' },
  });
  return next.kid;
}

async function publishKeyChange(tx: Tx, ctx: Ctx, purpose: KeyPurpose): Promise<void> {
  if (purpose === 'token') {
    const keys = await readPublishedJwks(tx, ctx, 'token');
    await appendFeedEntry(
      tx,
      ctx,
      await activeServerIds(tx),
      { kind: 'keys.changed', tokenKeys: { keys } },
      { subject: 'token' },
    );
  }
  await notifyChange(tx, 'keys', purpose);
}

async function activeServerIds(tx: Tx): Promise<string[]> {
  const servers = await tx.mcpServer.findMany({ where: { state: 'active' }, select: { id: true } });
  return servers.map((server) => server.id);
}

/** The public keys of one purpose as a JWK set's `keys`: what the JWKS document and the guards' feeds carry. */
export async function readPublishedJwks(
  tx: Pick<Tx, 'signingKey'>,
  ctx: Pick<Ctx, 'clock'>,
  purpose: KeyPurpose,
): Promise<PublicJwk[]> {
  const rows = await tx.signingKey.findMany({
    where: {
      purpose,
      OR: [
        { state: { in: ['next', 'active'] } },
        { state: 'retired', publishedUntil: { gt: ctx.clock.now() } },
      ],
    },
    orderBy: { kid: 'asc' },
    select: { publicJwk: true },
  });
  return rows.map((row) => row.publicJwk as PublicJwk);
}

export type KeyFacts = {
  kid: string;
  purpose: KeyPurpose;
  alg: string;
  state: KeyState;
  createdAt: Date;
  activatedAt: Date | null;
  retiredAt: Date | null;
  publishedUntil: Date | null;
  killedAt: Date | null;
};

/** Every key's public facts, newest first. For admins and auditors. */
export async function listSigningKeys(ctx: Ctx): Promise<KeyFacts[]> {
  if (ctx.actor.kind !== 'system') requireRole(ctx, 'admin', 'auditor');
  const rows = await ctx.db.prisma.signingKey.findMany({
    orderBy: { kid: 'desc' },
    select: {
      kid: true,
      purpose: true,
      alg: true,
      state: true,
      createdAt: true,
      activatedAt: true,
      retiredAt: true,
      publishedUntil: true,
      killedAt: true,
    },
  });
  return rows as KeyFacts[];
}

export const checkKeysInput = z.strictObject({});

export type KeyCheck = { kid: string; purpose: KeyPurpose; state: KeyState; opens: boolean };

/**
 * Opens every sealed key that still signs or is kept, and compares it with its public half: whether the key-encryption
 * key this process runs with is the one this database was sealed under, as it must be after a restore. Changes nothing
 * and shows nothing of a key. Only an admin.
 */
export async function checkKeys(ctx: Ctx): Promise<{ checkedAt: Date; keys: KeyCheck[] }> {
  requireRole(ctx, 'admin');
  const vault = requireVault(ctx);
  const rows = await ctx.db.prisma.signingKey.findMany({
    where: { state: { in: ['next', 'active', 'retired'] } },
    orderBy: { kid: 'desc' },
    take: 200,
  });
  return {
    checkedAt: ctx.clock.now(),
    keys: rows.map((row) => ({
      kid: row.kid,
      purpose: row.purpose as KeyPurpose,
      state: row.state as KeyState,
      opens: opensToItsPublicHalf(vault, row),
    })),
  };
}

function opensToItsPublicHalf(
  vault: Vault,
  row: { kid: string; privateSealed: string; publicJwk: unknown },
): boolean {
  try {
    const jwk = JSON.parse(vault.open(row.privateSealed, row.kid)) as { x?: string };
    openPrivateJwk(JSON.parse(vault.open(row.privateSealed, row.kid)));
    return jwk.x !== undefined && jwk.x === (row.publicJwk as PublicJwk).x;
  } catch {
    return false;
  }
}

// ── the keys this process holds open ────────────────────────────────────────

type OpenKeys = { loadedAtMs: number; active: SigningKey; published: PublishedKey[] };
const openKeys = new WeakMap<Db, Map<KeyPurpose, Promise<OpenKeys>>>();

/**
 * Longest time a process signs with a key it has not asked about again. Correctness does not rest on it: a token is
 * stored only while its key is still the active one.
 */
const keysFreshMs = 5_000;

/** Makes the next use read the keys again; called on every change this process makes or hears of. */
export function forgetKeys(db: Db): void {
  openKeys.delete(db);
}

/** The key that signs for a purpose now. Throws `Unavailable` where there is none or no vault to open it with. */
export async function activeSigningKey(ctx: Ctx, purpose: KeyPurpose): Promise<SigningKey> {
  return (await keysOf(ctx, purpose)).active;
}

/** The keys whose signatures count for a purpose now, retired ones included until their last token has expired. */
export async function publishedKeys(ctx: Ctx, purpose: KeyPurpose): Promise<readonly PublishedKey[]> {
  return (await keysOf(ctx, purpose)).published;
}

async function keysOf(ctx: Ctx, purpose: KeyPurpose): Promise<OpenKeys> {
  let byPurpose = openKeys.get(ctx.db);
  if (!byPurpose) {
    byPurpose = new Map();
    openKeys.set(ctx.db, byPurpose);
  }
  const known = byPurpose.get(purpose);
  if (known) {
    const keys = await known.catch(() => null);
    if (keys && ctx.clock.monotonicMs() - keys.loadedAtMs < keysFreshMs) return keys;
  }
  const reading = loadKeys(ctx, purpose);
  byPurpose.set(purpose, reading);
  return reading;
}

async function loadKeys(ctx: Ctx, purpose: KeyPurpose): Promise<OpenKeys> {
  const vault = requireVault(ctx);
  const loadedAtMs = ctx.clock.monotonicMs();
  const rows = await ctx.db.prisma.signingKey.findMany({
    where: {
      purpose,
      OR: [
        { state: { in: ['next', 'active'] } },
        { state: 'retired', publishedUntil: { gt: ctx.clock.now() } },
      ],
    },
    orderBy: { kid: 'asc' },
  });
  const active = rows.find((row) => row.state === 'active');
  if (!active) throw new Unavailable(`There is no active ${purpose} key.`);
  return {
    loadedAtMs,
    active: {
      kid: active.kid,
      purpose,
      alg: 'EdDSA',
      privateKey: openPrivateJwk(JSON.parse(vault.open(active.privateSealed, active.kid))),
      publicJwk: active.publicJwk as PublicJwk,
    },
    published: rows.map((row) => ({
      kid: row.kid,
      state: row.state as PublishedKey['state'],
      publicJwk: row.publicJwk as PublicJwk,
      publicKey: openPublicJwk({ ...(row.publicJwk as PublicJwk) }),
    })),
  };
}

function requireVault(ctx: Ctx): Vault {
  if (!ctx.vault) throw new Unavailable('Only the gate and the worker hold the key-encryption key.');
  return ctx.vault;
}
