import { z } from 'zod';
import { acceptPasskey } from '#lib/access/accept-passkey.ts';
import { issueChallenge, spendChallenge } from '#lib/access/challenges.ts';
import { enrolledAt } from '#lib/access/key-material.ts';
import { livingPasskeysOf, relyingPartyOf } from '#lib/access/relying-party.ts';
import { challengeFor, isSignedBy, type Signature } from '#lib/access/signatures.ts';
import { requireStepUp } from '#lib/access/step-up.ts';
import { type PublicKeyCredentialRequestOptionsJSON, requestOptions } from '#lib/access/webauthn.ts';
import { statementText } from '#lib/agents/approval-statement.ts';
import { needsSignature } from '#lib/agents/risk.ts';
import { type Snapshot, snapshotDigestOf } from '#lib/agents/snapshot.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import { digestOf } from '#lib/platform/canonical-json.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { Conflict, Forbidden } from '#lib/platform/errors.ts';
import { readCompact } from '#lib/platform/jws.ts';
import { openDecision, requireCurrentDigest } from './decision.ts';
import { deriveGranted, narrowingFields } from './granted.ts';
import { type LoadedRequest, requireMove } from './store.ts';

export const beginApprovalFields = {
  /** Names what was read, as the approval itself does. */
  snapshotDigest: z.string().max(128),
  ...narrowingFields,
};
export const beginApprovalInput = z.strictObject({ requestId: z.string().max(64), ...beginApprovalFields });

/** What an approval chosen like this has to sign, if anything. */
export type ApprovalToSign = {
  needsSignature: boolean;
  /** The text to sign: RFC 8785 of decision, granted digest, request and revision. */
  statement: string;
  grantedDigest: string;
  /** For the browser of somebody who has a passkey; null on the command line and for who has none. */
  passkey: PublicKeyCredentialRequestOptionsJSON | null;
};

/** Says what an approval would sign, and asks the passkeys of the person at this browser for it. Decides nothing. */
export async function beginApproval(
  ctx: Ctx,
  input: z.output<typeof beginApprovalInput>,
): Promise<ApprovalToSign> {
  const { prisma } = ctx.db;
  const { person, request } = await openDecision(prisma, ctx, input.requestId, { lock: false });
  requireMove(request, 'approve');
  await requireCurrentDigest(prisma, request, input.snapshotDigest);
  const granted = deriveGranted(request, input);
  const statement = statementOf(request, granted);
  const needed = needsSignature(granted.tools);
  const about = { needsSignature: needed, statement, grantedDigest: snapshotDigestOf(granted) };
  if (!needed || !person.sessionId) return { ...about, passkey: null };
  const party = relyingPartyOf(ctx.site);
  const passkeys = await prisma.personKey.findMany({
    where: livingPasskeysOf(ctx.site, person.personId),
    select: { credentialId: true, transports: true },
  });
  if (passkeys.length === 0) return { ...about, passkey: null };
  const challenge = new Uint8Array(challengeFor(statement));
  const session = { personId: person.personId, sessionId: person.sessionId };
  await issueChallenge(ctx, session, { purpose: 'approve', challenge, subjectDigest: digestOf(statement) });
  return { ...about, passkey: await requestOptions(party, challenge, passkeys) };
}

function statementOf(request: LoadedRequest, granted: Snapshot): string {
  return statementText({
    decision: 'approve',
    grantedDigest: snapshotDigestOf(granted),
    requestId: request.id,
    revision: request.revision.number,
  });
}

/**
 * The signature an approval rests on, checked as it is decided: made by a living key of the approver's own, as history
 * enrolled it, over exactly this decision. Null where nothing needs one. A passkey also answers a challenge of this very
 * session, once. Throws `Forbidden` with `signature` in its detail.
 */
export async function requireSignature(
  tx: Tx,
  ctx: Ctx,
  person: PersonActor,
  request: LoadedRequest,
  granted: Snapshot,
  signature: Signature | undefined,
): Promise<{ keyId: string; signature: Signature } | null> {
  // A suspended agent comes back by a proof of this moment, whatever it may do.
  if (request.kind === 'reinstate' && signature?.by !== 'passkey') requireStepUp(ctx);
  if (!signature) {
    if (!needsSignature(granted.tools)) return null;
    throw new Forbidden(
      'Approving more than reading is signed, with a passkey or a key of your command line. Add one in your settings.',
      { signature: 'missing' },
    );
  }
  const statement = statementOf(request, granted);
  const keyId =
    signature.by === 'passkey'
      ? await checkPasskey(tx, ctx, person, statement, signature)
      : await checkCommandLine(tx, ctx, person, statement, signature);
  return { keyId, signature };
}

async function checkPasskey(
  tx: Tx,
  ctx: Ctx,
  person: PersonActor,
  statement: string,
  { assertion }: Extract<Signature, { by: 'passkey' }>,
): Promise<string> {
  const { personId, sessionId } = person;
  if (!sessionId) throw notSigned('A passkey signs in the browser.');
  const challengeDigest = await spendChallenge(
    tx,
    ctx,
    { personId, sessionId },
    { purpose: 'approve', answer: assertion, subjectDigest: digestOf(statement) },
  );
  if (!challengeDigest) {
    throw new Conflict(
      'This took too long, or something else was signed. Look again and approve once more.',
      {
        signature: 'challenge',
      },
    );
  }
  const used = await acceptPasskey(tx, ctx, personId, challengeDigest, assertion);
  if ('refused' in used) {
    const { refused, keyId } = used;
    throw notSigned('This passkey’s signature was refused. Try again, or use another of yours.', {
      refused,
      ...(keyId ? { keyId } : {}),
    });
  }
  return used.keyId;
}

async function checkCommandLine(
  tx: Tx,
  ctx: Ctx,
  person: PersonActor,
  statement: string,
  signature: Extract<Signature, { by: 'command line' }>,
): Promise<string> {
  const kid = readCompact(signature.jws)?.header.kid;
  const key =
    typeof kid === 'string' ? await tx.personKey.findUnique({ where: { credentialId: kid } }) : null;
  const own = key?.personId === person.personId && key.kind === 'command line' && key.endedAt === null;
  if (!key || !own) throw notSigned('This key is not one of yours, or was removed.');
  if (!(await isSignedBy(key, statement, signature)) || (await enrolledAt(tx, key)) === null) {
    throw notSigned(
      'The signature is not over this decision. Look at the request again and sign what it says now.',
    );
  }
  await tx.personKey.updateMany({ where: { id: key.id }, data: { lastUsedAt: ctx.clock.now() } });
  return key.id;
}

function notSigned(message: string, why: { refused?: string; keyId?: string } = {}): Forbidden {
  return new Forbidden(message, { signature: 'refused', ...why });
}
