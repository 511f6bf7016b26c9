/** Codes under which Node, pg and Prisma say that the database is away, full, read-only or too slow. */
const troubleCodes: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  '25006',
  '55000',
  '57014',
]);

/**
 * Whether an error means that the database cannot answer just now, so that the caller is told to come back (503)
 * instead of that something is broken (500).
 */
export function isDatabaseTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code = '', cause, syscall } = error as Error & { code?: unknown; syscall?: unknown };
  // The unix socket is gone while PostgreSQL starts.
  if (code === 'ENOENT' && syscall === 'connect') return true;
  if (isTroubleCode(code) || isTroubleCode(sqlStateBehind(error))) return true;
  if (
    /Connection terminated|timeout exceeded when trying to connect|Query read timeout|is not queryable|Can't reach database server/.test(
      error.message,
    )
  ) {
    return true;
  }
  return cause !== error && isDatabaseTrouble(cause);
}

function isTroubleCode(code: unknown): boolean {
  // Classes 08, 53 and 57P: connections, resources, shutdown.
  return typeof code === 'string' && (troubleCodes.has(code) || /^(?:08...|53...|57P..)$/.test(code));
}

type Wrapped = { meta?: { driverAdapterError?: { cause?: { originalCode?: unknown } } } };

/** What PostgreSQL said where Prisma has wrapped it: a full disk is a known request error with the code in its `meta`. */
function sqlStateBehind(error: Error): unknown {
  return (error as Error & Wrapped).meta?.driverAdapterError?.cause?.originalCode;
}
