import { z } from 'zod';
import { requireStepUp } from '#lib/access/step-up.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Conflict, Forbidden, LimitExceeded, NotFound } from '#lib/platform/errors.ts';
import { endAccessToken } from './end-credentials.ts';
import { mint } from './mint.ts';
import { refusalOf } from './refusal.ts';
import { bindingEndsAt, isInForce, judgeStanding, readStanding } from './standing.ts';

export const revealCredentialInput = z.strictObject({ revealId: z.string().max(64) });

export type RevealedCredential = {
  credentialId: string;
  /** The token itself: in this answer and nowhere else. */
  token: string;
  expiresAt: string;
  expiresInSeconds: number;
  tools: string[];
  resource: string;
  serverName: string;
  /** Whether an earlier token of this right was ended by this one. */
  supersededEarlier: boolean;
};

/** A right to reveal is for losing a token once or twice, not for a supply. */
const maxTokensPerReveal = 10;

/**
 * Mints the token of an agent whose credential a person must carry, for its owner, in their own browser session: at
 * most five minutes of life, within 24 hours of the approval. The approver never sees it, the database keeps its
 * digest, and the answer is the only place it appears. A lost one is minted again; the one before ends as superseded,
 * and both stand in the ledger.
 *
 * Two tabs cannot both mint from what they saw: the loser gets a `Conflict`. Throws `NotFound` for a right that is
 * somebody else's, ended or late.
 */
export async function revealCredential(
  ctx: Ctx,
  input: z.output<typeof revealCredentialInput>,
): Promise<RevealedCredential> {
  const person = requireStepUp(ctx);
  const { prisma } = ctx.db;
  const now = ctx.clock.now();
  const reveal = await prisma.reveal.findUnique({ where: { id: input.revealId } });
  const agent = reveal
    ? await prisma.agent.findUnique({ where: { id: reveal.agentId }, select: { id: true, ownerId: true } })
    : null;
  if (!reveal || !agent || reveal.ownerId !== person.personId || agent.ownerId !== person.personId)
    throw new NotFound();
  if (reveal.expiresAt <= now) {
    throw new NotFound('The time to reveal this token is over. Ask for a new approval to get another.');
  }
  if (reveal.mintedCredentialIds.length >= maxTokensPerReveal) {
    throw new LimitExceeded(
      `This approval has already given ${maxTokensPerReveal} tokens. Ask for a keyed client if the agent needs one often.`,
    );
  }
  const instance = await prisma.instance.findFirst({
    where: { agentId: agent.id, state: 'active' },
    orderBy: { createdAt: 'desc' },
    select: { id: true, clientId: true },
  });
  const standing = instance ? await readStanding(ctx, instance.clientId, instance.id) : null;
  if (!standing) throw new Conflict('The agent has no active client any more. Nothing was minted.');
  const verdict = judgeStanding(standing, now);
  if (verdict.kind !== 'live') {
    throw new Forbidden(refusalOf(ctx.site, 'client_credentials', standing, verdict).description);
  }
  const binding = standing.bindings.find((each) => each.serverId === reveal.serverId);
  if (!binding || !isInForce(binding, now)) {
    throw new Conflict('The approval for this server has ended. Nothing was minted.', {
      endedAt: binding ? bindingEndsAt(binding).toISOString() : null,
    });
  }
  const supersededEarlier = await endPrevious(ctx, reveal.mintedCredentialIds.at(-1) ?? null);
  const minted = await mint(ctx, {
    standing: { ...standing, agent: verdict.agent, instance: verdict.instance },
    binding,
    tools: binding.tools.map((tool) => tool.name),
    subject: person.personId,
    familyId: null,
    grantKind: 'reveal',
    spend: { kind: 'reveal', revealId: reveal.id, mintedBefore: reveal.mintedCredentialIds.length },
  });
  if (typeof minted !== 'object') {
    throw new Conflict(
      'Something changed while the token was minted, so it is void. Look at the agent and try again.',
    );
  }
  return {
    credentialId: minted.credentialId,
    token: minted.token,
    expiresAt: minted.expiresAt.toISOString(),
    expiresInSeconds: minted.expiresInSeconds,
    tools: binding.tools.map((tool) => tool.name),
    resource: binding.resource,
    serverName: binding.serverName,
    supersededEarlier,
  };
}

/** Ends the token minted before, if it still lives. Should the new one then fail, nobody holds more than before. */
async function endPrevious(ctx: Ctx, credentialId: string | null): Promise<boolean> {
  if (credentialId === null) return false;
  const previous = await ctx.db.prisma.credential.findUnique({ where: { id: credentialId } });
  if (!previous) return false;
  await endAccessToken(ctx, {
    credentialId: previous.id,
    tokenDigest: previous.tokenDigest,
    clientId: previous.clientId,
    agentId: previous.agentId,
    cause: 'superseded',
    reason: 'minted again by its owner',
  });
  return true;
}
