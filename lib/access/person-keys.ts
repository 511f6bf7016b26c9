import { z } from 'zod';
import { notify } from '#lib/audit/notify.ts';
import { recordEvent } from '#lib/audit/record.ts';
import { newRandomBytes } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { isUniqueViolation, notifyChange, type Tx, withTransaction } from '#lib/platform/db.ts';
import { Conflict, Invalid, LimitExceeded, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { issueChallenge, spendChallenge } from './challenges.ts';
import { type KeyKind, keyDigestOf } from './key-material.ts';
import { livingPasskeysOf, relyingPartyOf } from './relying-party.ts';
import { requireStepUp } from './step-up.ts';
import {
  creationOptions,
  type PublicKeyCredentialCreationOptionsJSON,
  registrationResponseSchema,
  verifyRegistration,
} from './webauthn.ts';

/** Living keys of one person, of both kinds together. */
export const mostKeys = 20;

export const keyName = z.string().trim().min(1, 'Give it a name you will know it by.').max(100);

export const beginPasskeyInput = z.strictObject({});

/**
 * What the browser needs to make a passkey for the person at it. The first one rests on a fresh proof of the password or
 * the identity provider, every further one on a passkey there is.
 */
export async function beginPasskey(ctx: Ctx): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const person = requireStepUp(ctx);
  const [account, existing] = await Promise.all([
    ctx.db.prisma.person.findUniqueOrThrow({ where: { id: person.personId }, select: { email: true } }),
    ctx.db.prisma.personKey.findMany({
      where: livingPasskeysOf(ctx.site, person.personId),
      select: { credentialId: true, transports: true },
    }),
  ]);
  const challenge = new Uint8Array(newRandomBytes(32));
  await issueChallenge(ctx, person, { purpose: 'enrol', challenge });
  const { personId, displayName } = person;
  const about = { personId, displayName, email: account.email };
  return creationOptions(relyingPartyOf(ctx.site), about, challenge, existing);
}

export const addPasskeyInput = z.strictObject({ name: keyName, response: registrationResponseSchema });

/** Enrols the passkey a browser has made, and tells its person. Every other session has to prove itself by it anew. */
export async function addPasskey(
  ctx: Ctx,
  input: z.output<typeof addPasskeyInput>,
): Promise<{ keyId: string }> {
  const person = requireStepUp(ctx);
  const challengeDigest = await spendChallenge(ctx.db.prisma, ctx, person, {
    purpose: 'enrol',
    answer: input.response,
  });
  if (!challengeDigest)
    throw new Conflict('This took too long, or was begun in another window. Begin again.');
  const party = relyingPartyOf(ctx.site);
  const made = await verifyRegistration(party, challengeDigest, input.response);
  if (!made.ok) {
    throw new Invalid('The passkey could not be checked. Make it again, with your fingerprint, face or PIN.');
  }
  return withTransaction(ctx, async (tx) => {
    const keyId = await addKey(tx, ctx, person.personId, {
      kind: 'passkey',
      name: input.name,
      ...made.value,
      ...party,
    });
    // Whoever sits at another browser with the password alone proves nothing by it any more.
    await tx.personSession.updateMany({
      where: { personId: person.personId, id: { not: person.sessionId }, endedAt: null },
      data: { elevatedAt: null, elevatedBy: null },
    });
    return { keyId };
  });
}

type NewKey = {
  kind: KeyKind;
  name: string;
  credentialId: string;
  publicKey: string;
  rpId?: string;
  origin?: string;
  transports?: string[];
  backedUp?: boolean;
  signCount?: number;
};

/** Stores a key of a person with its event, and tells them. `Conflict` when the key is known here, whoever's it is. */
export async function addKey(tx: Tx, ctx: Ctx, personId: string, made: NewKey): Promise<string> {
  const living = await tx.personKey.count({ where: { personId, endedAt: null } });
  if (living >= mostKeys) throw new LimitExceeded(`You have ${mostKeys} keys. Remove one you no longer use.`);
  const { kind, name, credentialId, publicKey, rpId = '', origin = '' } = made;
  const id = newId('personKey');
  const material = { id, personId, kind, credentialId, publicKey, rpId, origin };
  const eventId = await recordEvent(tx, ctx, {
    kind: 'person_key.add',
    subjectId: id,
    data: {
      personId,
      kind,
      name,
      credentialId,
      keyDigest: keyDigestOf(material),
      backedUp: made.backedUp ?? false,
    },
  });
  try {
    await tx.personKey.create({
      data: {
        ...material,
        name,
        transports: made.transports ?? [],
        backedUp: made.backedUp ?? false,
        signCount: made.signCount ?? 0,
        eventId,
        createdAt: ctx.clock.now(),
      },
    });
  } catch (error) {
    if (isUniqueViolation(error))
      throw new Conflict('This key is enrolled already, or was somebody’s before.');
    throw error;
  }
  await notify(tx, ctx, {
    personIds: [personId],
    kind: 'person_key.add',
    title:
      kind === 'passkey' ? 'A passkey was added to your account' : 'A signing key was added to your account',
    body: `It is called “${name}” and can approve in your name. If this was not you, ask an admin at once to reset your passkeys.`,
    href: '/settings/keys',
  });
  await notifyChange(tx, 'people', personId);
  return id;
}

export const renameKeyInput = z.strictObject({ keyId: z.string().max(64), name: keyName });

/** Gives one's own key another name. */
export async function renameKey(ctx: Ctx, input: z.output<typeof renameKeyInput>): Promise<void> {
  const person = requireStepUp(ctx);
  await withTransaction(ctx, async (tx) => {
    const key = await tx.personKey.findUnique({ where: { id: input.keyId } });
    if (key?.personId !== person.personId) throw new NotFound();
    if (key.name === input.name) return;
    const { count } = await tx.personKey.updateMany({
      where: { id: key.id, name: key.name, endedAt: null },
      data: { name: input.name },
    });
    if (count === 0) throw new Conflict('This key was removed or renamed meanwhile.');
    await recordEvent(tx, ctx, {
      kind: 'person_key.rename',
      subjectId: key.id,
      before: { name: key.name },
      after: { name: input.name },
      data: { personId: key.personId },
    });
    await notifyChange(tx, 'people', key.personId);
  });
}

export const removeKeyInput = z.strictObject({ keyId: z.string().max(64) });

/** Removes one's own key. What it signed stays approved; whoever wants that to end revokes the agent. */
export async function removeKey(ctx: Ctx, input: z.output<typeof removeKeyInput>): Promise<void> {
  const person = requireStepUp(ctx);
  await withTransaction(ctx, async (tx) => {
    const key = await tx.personKey.findUnique({ where: { id: input.keyId } });
    if (key?.personId !== person.personId) throw new NotFound();
    const ended = await endKeys(tx, ctx, { id: key.id }, 'removed');
    if (ended === 0) throw new Conflict('This key was removed already.');
    await notify(tx, ctx, {
      personIds: [person.personId],
      kind: 'person_key.end',
      title: `Your ${key.kind === 'passkey' ? 'passkey' : 'signing key'} “${key.name}” was removed`,
      body: 'If this was not you, ask an admin at once to reset your passkeys.',
      href: '/settings/keys',
    });
  });
}

/** Ends living keys that match, one event each, and returns how many there were. */
export async function endKeys(
  tx: Tx,
  ctx: Ctx,
  where: { id?: string; personId?: string },
  cause: 'removed' | 'reset' | 'recovery',
  reason: string = cause,
): Promise<number> {
  const living = await tx.personKey.findMany({ where: { ...where, endedAt: null } });
  let ended = 0;
  for (const key of living) {
    const { count } = await tx.personKey.updateMany({
      where: { id: key.id, endedAt: null },
      data: { endedAt: ctx.clock.now(), endCause: cause },
    });
    if (count === 0) continue;
    ended++;
    await recordEvent(tx, ctx, {
      kind: 'person_key.end',
      subjectId: key.id,
      reason,
      data: { personId: key.personId, kind: key.kind, name: key.name, credentialId: key.credentialId },
    });
    await notifyChange(tx, 'people', key.personId);
  }
  return ended;
}
