import { enrolledAt } from '#lib/access/key-material.ts';
import { addKey } from '#lib/access/person-keys.ts';
import { relyingPartyOf } from '#lib/access/relying-party.ts';
import { challengeFor, type Signature } from '#lib/access/signatures.ts';
import { digestOfChallenge, verifyRegistration } from '#lib/access/webauthn.ts';
import { statementText } from '#lib/agents/approval-statement.ts';
import { needsSignature } from '#lib/agents/risk.ts';
import { type Snapshot, snapshotDigestOf } from '#lib/agents/snapshot.ts';
import { type ApprovedRequest, approveRequest, approveRequestInput } from '#lib/approvals/approve-request.ts';
import { beginApproval } from '#lib/approvals/signed-approval.ts';
import { recordEvent } from '#lib/audit/record.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type Db, withTransaction } from '#lib/platform/db.ts';
import { newId } from '#lib/platform/ids.ts';
import { Authenticator } from './authenticator.ts';

type Signer = { keyId: string; authenticator: Authenticator };
const signers = new WeakMap<Db, Map<string, Promise<Signer>>>();
/** Before anything a test does, whatever clock it has. */
export const enrolledLongAgo = new Date('2026-01-05T09:00:00.000Z');

/** The passkey of a person in a test's database, enrolled at the first call. It does not count, so that order is free. */
export function passkeyOf(ctx: Ctx, personId: string): Promise<Signer> {
  let known = signers.get(ctx.db);
  if (!known) {
    known = new Map();
    signers.set(ctx.db, known);
  }
  let signer = known.get(personId);
  if (!signer) {
    signer = enrol(ctx, personId);
    known.set(personId, signer);
  }
  return signer;
}

async function enrol(ctx: Ctx, personId: string): Promise<Signer> {
  const authenticator = new Authenticator(ctx.site.consoleOrigin, { counts: false });
  const party = relyingPartyOf(ctx.site);
  const challenge = 'YS1jaGFsbGVuZ2U';
  const made = await verifyRegistration(
    party,
    digestOfChallenge(challenge),
    authenticator.create({ challenge } as never),
  );
  if (!made.ok) throw new Error(made.error);
  const then: Ctx = {
    ...ctx,
    actor: { kind: 'system', name: 'test' },
    clock: { now: () => enrolledLongAgo, monotonicMs: () => 0 },
  };
  const keyId = await withTransaction(then, async (tx) => {
    const id = await addKey(tx, then, personId, { kind: 'passkey', name: 'Test', ...made.value, ...party });
    const key = await tx.personKey.findUniqueOrThrow({ where: { id } });
    if (!(await enrolledAt(tx, key))) throw new Error('the key is not in the history');
    return id;
  });
  return { keyId, authenticator };
}

export async function signWith({ authenticator }: Signer, statement: string): Promise<Signature> {
  const challenge = challengeFor(statement).toString('base64url');
  return { by: 'passkey', assertion: authenticator.get({ challenge }) };
}

type ApprovalInput = Record<string, unknown>;

/** Approves as the console does: asks what to sign, signs it with the approver's passkey, and decides. */
export async function approveSigned(ctx: Ctx, input: ApprovalInput): Promise<ApprovedRequest> {
  return (await readyToApprove(ctx, input))();
}

/**
 * The same up to the decision itself, for races. Where nothing can be signed, because the verb will refuse, it is left to
 * the verb to say why.
 */
export async function readyToApprove(
  ctx: Ctx,
  input: ApprovalInput,
): Promise<() => Promise<ApprovedRequest>> {
  const parsed = approveRequestInput.parse(input);
  const { snapshotDigest, comment: _comment, signature, ...asked } = parsed;
  const actor = ctx.actor as PersonActor;
  const plain = () => approveRequest(ctx, parsed);
  if (!snapshotDigest || signature || actor.via === 'token') return plain;
  const signer = await passkeyOf(ctx, actor.personId);
  const begun = await beginApproval(ctx, { ...asked, snapshotDigest }).catch(() => null);
  if (!begun?.needsSignature) return plain;
  const signed = { ...parsed, signature: await signWith(signer, begun.statement) };
  return () => approveRequest(ctx, signed);
}

/** A vote with its event, written as the verb writes it: for agents that are put into the tables approved. */
export async function writeVote(
  ctx: Ctx,
  vote: { requestId: string; revisionId: string; revision: number; granted: Snapshot; personId: string },
): Promise<void> {
  const { requestId, revisionId, revision, granted, personId } = vote;
  const grantedDigest = snapshotDigestOf(granted);
  const signer = needsSignature(granted.tools) ? await passkeyOf(ctx, personId) : null;
  const statement = statementText({ decision: 'approve', grantedDigest, requestId, revision });
  const signature = signer && (await signWith(signer, statement));
  const person = await ctx.db.prisma.person.findUniqueOrThrow({ where: { id: personId } });
  const voter: Ctx = {
    ...ctx,
    actor: {
      kind: 'person',
      personId,
      subject: person.subject,
      displayName: person.displayName,
      roles: ['approver'],
      via: 'session',
      sessionId: null,
      authnAt: null,
      elevatedAt: null,
    },
  };
  const voteId = newId('vote');
  await withTransaction(ctx, async (tx) => {
    await tx.decisionVote.create({
      data: {
        id: voteId,
        requestId,
        revisionId,
        personId,
        subject: person.subject,
        verdict: 'approve',
        snapshotDigest: grantedDigest,
        granted,
        grantedDigest,
        decidedAt: ctx.clock.now(),
        ...(signer && signature ? { keyId: signer.keyId, signature } : {}),
      },
    });
    await recordEvent(tx, voter, {
      kind: 'request.vote',
      subjectId: requestId,
      requestRef: requestId,
      data: { voteId, verdict: 'approve', grantedDigest },
    });
  });
}
