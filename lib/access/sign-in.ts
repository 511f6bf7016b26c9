import { z } from 'zod';
import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { normalizeAddress, sourcePrefix } from '#lib/platform/address.ts';
import { verifyPassword } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { longestPassword } from './passwords.ts';
import { refillBucket, takeToken } from './rate-limit.ts';
import { createHandoff } from './sessions.ts';

/** Tries at one account from one network: five at once, then one every half minute. */
const perAccountAndSource = { capacity: 5, refillSeconds: 30 };
/** Tries from one network at any accounts. */
const perSource = { capacity: 60, refillSeconds: 5 };
/** Tries at one account from networks nobody has ever signed in to it from. The owner's own network is not counted. */
const perAccountFromStrangers = { capacity: 40, refillSeconds: 20 };

export const signInInput = z.strictObject({
  email: z.string().max(254),
  password: z.string().max(longestPassword * 4),
});

/**
 * `handoff` proves the sign-in for sixty seconds. A refusal says either that the pair was not right, in the same words
 * and time whether the account exists, is deactivated or has no password, or how long to wait.
 */
export type SignInOutcome =
  | { handoff: string }
  | { refused: 'credentials' }
  | { refused: 'too many tries'; retryAfterSeconds: number };

/**
 * Checks an e-mail address and a password. Guessing is slowed per account and network and per network; no number of
 * wrong tries locks an account: its owner's own network always has tries left, so nobody can be shut out by others.
 * Exactly one password hash is computed for every answered try.
 */
export async function signIn(ctx: Ctx, input: z.output<typeof signInInput>): Promise<SignInOutcome> {
  const email = input.email.trim().toLowerCase();
  const source = sourcePrefix(ctx.address);
  const wait = await waitingSeconds(ctx, email, source);
  if (wait > 0) {
    noteAnonymousRefusal(ctx, 'access.signIn', 'limit_exceeded');
    return { refused: 'too many tries', retryAfterSeconds: wait };
  }
  const person = await ctx.db.prisma.person.findUnique({
    where: { email },
    select: { id: true, state: true, password: { select: { hash: true } } },
  });
  const matches = await verifyPassword(input.password, person?.password?.hash ?? null);
  if (!person || !matches || person.state !== 'active') {
    noteAnonymousRefusal(ctx, 'access.signIn', 'unauthenticated', {
      kind: 'session.refuse',
      subjectId: person?.id ?? 'unknown',
    });
    return { refused: 'credentials' };
  }
  await refillBucket(ctx, bucketOf(email, source));
  return { handoff: await createHandoff(ctx.db.prisma, ctx, person.id, 'password') };
}

function bucketOf(email: string, source: string): string {
  return `sign-in:${email}:${source}`;
}

async function waitingSeconds(ctx: Ctx, email: string, source: string): Promise<number> {
  const here = await takeToken(ctx, `sign-in:source:${source}`, perSource);
  if (!here.allowed) return here.retryAfterSeconds;
  const account = await takeToken(ctx, bucketOf(email, source), perAccountAndSource);
  if (!account.allowed) return account.retryAfterSeconds;
  if (await isKnownSource(ctx, email, source)) return 0;
  const strangers = await takeToken(ctx, `sign-in:strangers:${email}`, perAccountFromStrangers);
  return strangers.allowed ? 0 : strangers.retryAfterSeconds;
}

/** Whether this account was lately signed in to from this network. */
async function isKnownSource(ctx: Ctx, email: string, source: string): Promise<boolean> {
  const sessions = await ctx.db.prisma.personSession.findMany({
    where: { person: { email } },
    orderBy: { createdAt: 'desc' },
    take: 20,
    select: { address: true },
  });
  return sessions.some(
    (session) => normalizeAddress(session.address) !== null && sourcePrefix(session.address) === source,
  );
}
