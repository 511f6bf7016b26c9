import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { type Prisma, PrismaClient } from '#prisma/client/client.ts';
import { Unavailable } from './errors.ts';

export type { Prisma } from '#prisma/client/client.ts';
/** The client inside a transaction. */
export type Tx = Prisma.TransactionClient;

/**
 * The doors to PostgreSQL. `prisma` for reads and console transitions; `hot` for prepared single statements and
 * group commit; `search` for questions to the history, each planned for its own values; `emergency` is a small reserve
 * used only by suspend and revoke, so that no flood can take it.
 */
export type Db = {
  readonly prisma: PrismaClient;
  readonly hot: pg.Pool;
  readonly search: pg.Pool;
  readonly emergency: PrismaClient;
  readonly url: string;
  close(): Promise<void>;
};

const maxSearches = 4;

export type PoolSizes = { prisma: number; hot: number; emergency: number };

/** Secret columns the console's database role cannot read: left out of its queries altogether, and of others' as well. */
export const withoutSecrets = {
  personSession: { tokenDigest: true },
  apiToken: { tokenDigest: true },
  invitation: { tokenDigest: true },
  mcpServer: { upstreamCredential: true },
  client: {
    secretDigest: true,
    revocationHandle: true,
    registrationTokenDigest: true,
    formerRegistrationTokenDigest: true,
  },
  signingKey: { privateSealed: true },
  webhook: { secretSealed: true, formerSecretSealed: true },
  credential: { tokenDigest: true },
  resourceToken: { tokenDigest: true },
  deviceRequest: { codeChallenge: true, userCodeDigest: true, number: true },
} as const;

export function openDb(url: string, sizes: PoolSizes, options: { omitSecrets?: boolean } = {}): Db {
  const settings = {
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    statement_timeout: 10_000,
    // PostgreSQL ends what takes too long; where PostgreSQL itself has gone without a word (a host that lost power, a
    // network that drops packets) nobody would, so that a caller would wait for as long as TCP does.
    query_timeout: 12_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    idle_in_transaction_session_timeout: 10_000,
  };
  const client = (max: number) =>
    new PrismaClient({
      adapter: new PrismaPg(openPool({ ...settings, max }), { disposeExternalPool: true }),
      ...(options.omitSecrets ? { omit: withoutSecrets } : {}),
      transactionOptions: { maxWait: 5_000, timeout: 10_000 },
    }) as PrismaClient;
  const prisma = client(sizes.prisma);
  const emergency = client(sizes.emergency);
  // What is hot is one short statement; one that takes longer is not answered any more, so it must not commit either.
  // Their plans do not depend on their parameters; planning a mint anew costs more than running it. Tables are joined
  // in the order the statement names them: to weigh every order of a mint's nine takes the planner 40 ms, and each
  // connection does so again whenever statistics change.
  const hot = openPool({
    ...settings,
    statement_timeout: 2_000,
    query_timeout: 3_000,
    options: '-c plan_cache_mode=force_generic_plan -c join_collapse_limit=1',
    max: sizes.hot,
  });
  // A word that stands in five rows of five million and one that stands in every second want different plans. Few at a
  // time: a search reads much, and whoever searches a lot must not keep everybody's pages waiting.
  const search = openPool({
    ...settings,
    statement_timeout: 5_000,
    query_timeout: 6_000,
    max: maxSearches,
  });
  return {
    prisma,
    hot,
    search,
    emergency,
    url,
    async close() {
      await Promise.allSettled([prisma.$disconnect(), emergency.$disconnect(), hot.end(), search.end()]);
    },
  };
}

/**
 * A pool of which no connection ends the process by dying; whoever uses it next is told. The pool itself listens only
 * to those that are idle, and who takes one listens a moment later: PostgreSQL's last words, read in one piece with
 * the answer that set the connection free, fall between the two.
 */
export function openPool(config: pg.PoolConfig): pg.Pool {
  const pool = new pg.Pool(config);
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

const maxAttempts = 8;
/** A stop waits this often for a lock that others hold; each wait is as long as the lock's own limit, two seconds. */
const maxLockWaits = 3;

/**
 * Runs `work` in one serialisable transaction and returns its result. Serialisation failures and deadlocks are
 * normal there and are retried with jitter; after `maxAttempts`, or when a lock was waited for in vain, the caller gets
 * `Unavailable`, never a 500.
 * `work` may run several times: it must have no effect outside the transaction.
 */
export async function withTransaction<T>(ctx: { db: Db }, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ctx.db.prisma.$transaction(work, { isolationLevel: 'Serializable' });
    } catch (error) {
      if (isLockTimeout(error)) throw tooBusy(error);
      if (!isSerializationFailure(error)) throw error;
      if (attempt === maxAttempts) throw tooBusy(error);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 ** attempt * 2));
    }
  }
}

/**
 * The transaction of suspend and revoke: on the reserved connections, and READ COMMITTED, so that it waits for a row
 * instead of failing on it. `work` locks the rows it changes; what was minted beside it dies by the epoch. Deadlocks and
 * lock timeouts leave nothing behind: a stop must not fail for meeting another writer once, and is told to come again
 * (`Unavailable`) where others hold what it needs for long.
 */
export async function withEmergencyTransaction<T>(ctx: { db: Db }, work: (tx: Tx) => Promise<T>): Promise<T> {
  for (let attempt = 1, lockWaits = 0; ; attempt++) {
    try {
      return await ctx.db.emergency.$transaction(work, { isolationLevel: 'ReadCommitted' });
    } catch (error) {
      if (isLockTimeout(error)) lockWaits++;
      else if (!isSerializationFailure(error)) throw error;
      if (attempt === maxAttempts || lockWaits === maxLockWaits) throw tooBusy(error);
    }
  }
}

function tooBusy(cause: unknown): Unavailable {
  return new Unavailable('Too many changes at once. Nothing happened; try again.', {}, { cause });
}

/** 40001 and 40P01 in each dress they come in: Prisma's P2034, the adapter's error, a raw pg error. */
export function isSerializationFailure(error: unknown): boolean {
  return saysAnywhere(
    error,
    /\b(?:P2034|40001|40P01)\b|TransactionWriteConflict|could not serialize|deadlock detected/,
  );
}

/** Somebody else has written the row meanwhile: a unique index refused this one (23505, Prisma's P2002). */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && (error as Error & { code?: string }).code === 'P2002';
}

/** 55P03: somebody held a lock for longer than this transaction was ready to wait. */
function isLockTimeout(error: unknown): boolean {
  return saysAnywhere(error, /\b55P03\b|lock timeout/);
}

/** Whether an error, or what caused it, says so in its code, its message or what Prisma has put beside it. */
function saysAnywhere(error: unknown, pattern: RegExp): boolean {
  if (!(error instanceof Error)) return false;
  const { code = '', meta = '', cause } = error as Error & { code?: unknown; meta?: unknown };
  return (
    pattern.test(`${String(code)} ${error.message} ${JSON.stringify(meta)}`) ||
    (cause !== error && saysAnywhere(cause, pattern))
  );
}

/** Wakes live pages and feeds when this transaction commits. Payloads are ids, never content. */
export async function notifyChange(tx: Tx, topic: string, id: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_notify('countersign_change', ${JSON.stringify({ topic, id })})`;
}
