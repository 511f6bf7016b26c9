import { recordEvent } from '#lib/audit/record.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { hmac, sha256 } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Tx } from '#lib/platform/db.ts';
import { Conflict, Unavailable } from '#lib/platform/errors.ts';

/** How long a browser has carried a code when it is worth nothing: enough for any client on any network. */
export const codeLifetimeSeconds = 60;
/** How long a prepared code waits for its browser. Clients give up after 300 s on their own. */
const preparedLifetimeSeconds = 600;

/** The columns of `authorization_transaction` a code is bound to. */
export type CodeTransaction = {
  id: string;
  clientId: string;
  instanceId: string;
  redirectUri: string;
  codeChallenge: string;
  resource: string;
  address?: string | null;
  /** Of a device that asks for the code itself; then no browser carries it. */
  deviceAddress?: string | null;
  /** Until when somebody waits for the code; a device asks for longer than a browser. */
  deadlineAt?: Date;
};

/**
 * Mints the authorization code of one transaction, in the transaction that approves it (or that the owner's Continue
 * opens). The code is derived from the transaction's id under a key of the vault, so that nothing but its digest is
 * stored and the browser can be given it later. One code a transaction: a second call finds the first and leaves it.
 *
 * Bound to client, instance, redirect URI, code challenge, resource, agent and the agent's epoch now. The status of
 * the authorization transaction itself is the caller's business.
 */
export async function prepareCode(
  tx: Tx,
  ctx: Ctx,
  transaction: CodeTransaction,
  agent: { id: string; epoch: number },
  options: { parentIds?: readonly string[]; requestRef?: string | null } = {},
): Promise<void> {
  const now = ctx.clock.now();
  const codeDigest = sha256(codeOf(ctx, transaction.id));
  const created = await tx.authorizationCode.createMany({
    data: {
      codeDigest,
      transactionId: transaction.id,
      clientId: transaction.clientId,
      instanceId: transaction.instanceId,
      agentId: agent.id,
      agentEpoch: agent.epoch,
      redirectUri: transaction.redirectUri,
      codeChallenge: transaction.codeChallenge,
      resource: transaction.resource,
      browserAddress: transaction.deviceAddress ?? transaction.address ?? null,
      createdAt: now,
      expiresAt: latest(addSeconds(now, preparedLifetimeSeconds), transaction.deadlineAt),
    },
    skipDuplicates: true,
  });
  if (created.count === 0) return;
  await recordEvent(tx, ctx, {
    kind: 'code.issue',
    subjectId: codeDigest,
    agentId: agent.id,
    clientId: transaction.clientId,
    requestRef: options.requestRef ?? null,
    parentIds: options.parentIds ?? [],
    data: {
      transactionId: transaction.id,
      instanceId: transaction.instanceId,
      redirectUri: transaction.redirectUri,
      resource: transaction.resource,
      epoch: agent.epoch,
    },
  });
}

/**
 * Hands out the prepared code of a transaction to the browser that claimed it, once: its sixty seconds start now.
 * Whoever calls has checked that it is that browser's session. Throws `Conflict` when there is no code, or another
 * tab has carried it already.
 */
export async function deliverCode(
  tx: Tx,
  ctx: Ctx,
  transactionId: string,
): Promise<{ code: string; expiresAt: Date }> {
  const now = ctx.clock.now();
  const expiresAt = addSeconds(now, codeLifetimeSeconds);
  const { count } = await tx.authorizationCode.updateMany({
    where: { transactionId, deliveredAt: null, usedAt: null, expiresAt: { gt: now } },
    data: { deliveredAt: now, expiresAt },
  });
  if (count === 0)
    throw new Conflict('This sign-in has already gone on, or it is over. Start it again in your client.');
  return { code: codeOf(ctx, transactionId), expiresAt };
}

function latest(one: Date, other: Date | undefined): Date {
  return other && other > one ? addSeconds(other, codeLifetimeSeconds) : one;
}

/** The code of a transaction, delivered or not: what a device that waits for it is redeemed with. */
export function codeOf(ctx: Pick<Ctx, 'vault'>, transactionId: string): string {
  if (!ctx.vault) throw new Unavailable('Only the gate can issue a code.');
  return `csc_${hmac(ctx.vault.deriveKey('authorization code v1'), transactionId)}`;
}
