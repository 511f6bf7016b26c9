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
  const adapter = adapterCauseOf(error);
  if (isTroubleCode(code) || isTroubleCode(adapter?.originalCode) || troubleKinds.has(adapter?.kind))
    return true;
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

/** What Prisma's adapter says of an error: PostgreSQL's own code, or what became of the socket. */
type AdapterCause = { originalCode?: unknown; kind?: unknown };
type Wrapped = { meta?: { driverAdapterError?: { cause?: AdapterCause } }; cause?: unknown };

/** How the adapter names what happens to sockets, which it does without a code. */
const troubleKinds: ReadonlySet<unknown> = new Set([
  'ConnectionClosed',
  'DatabaseNotReachable',
  'SocketTimeout',
  'TooManyConnections',
]);

/**
 * The adapter's own word on an error. It stands in `meta` where Prisma has wrapped it, as around every statement; what
 * fails at the end of a transaction, at COMMIT, comes as the adapter threw it.
 */
function adapterCauseOf(error: Error): AdapterCause | null {
  const { meta, cause } = error as Error & Wrapped;
  if (meta?.driverAdapterError?.cause) return meta.driverAdapterError.cause;
  return error.name === 'DriverAdapterError' && cause instanceof Object ? cause : null;
}
