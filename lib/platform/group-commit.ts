/**
 * Group commit: concurrent callers' rows go to PostgreSQL in one statement, and each caller is answered after the
 * commit that holds its row. While one batch is on the wire the next one gathers, so that under load a commit is
 * shared by many and an idle caller waits for nobody.
 *
 * A failed batch is retried row by row, so that one bad row fails alone. A lost connection leaves the outcome of a
 * batch unknown: every caller in it gets that error and must look its effect up by id before trying again.
 */
export type GroupCommit<Row, Outcome> = (row: Row) => Promise<Outcome>;

export type GroupCommitOptions<Row, Outcome> = {
  /** Rows a statement takes at most. */
  maxRows: number;
  /** Batches on the wire at once. One makes the fullest statements, which cost PostgreSQL and the caller least. */
  maxInFlight: number;
  /**
   * How long a batch may be out before it no longer keeps the next one back: one that waits for a row's lock must
   * not hold up everybody else's. Without it a slow batch is waited for.
   */
  patienceMs?: number;
  /** Runs one statement; answers outcomes in the order of the rows. */
  run(rows: readonly Row[]): Promise<readonly Outcome[]>;
  /** Whether an error leaves it unknown if the statement committed (connection lost, not a refusal by PostgreSQL). */
  isOutcomeUnknown(error: unknown): boolean;
};

type Waiting<Row, Outcome> = {
  row: Row;
  resolve(outcome: Outcome): void;
  reject(error: unknown): void;
};

/** Batches that may be past their patience at once, each holding a connection. */
const maxOverdue = 3;

export function groupCommit<Row, Outcome>(
  options: GroupCommitOptions<Row, Outcome>,
): GroupCommit<Row, Outcome> {
  const queue: Waiting<Row, Outcome>[] = [];
  let inFlight = 0;
  let overdue = 0;

  /** Runs a batch and answers what remains: telling its callers. */
  async function settle(batch: readonly Waiting<Row, Outcome>[]): Promise<() => void> {
    try {
      const outcomes = await options.run(batch.map((waiting) => waiting.row));
      return () => {
        batch.forEach((waiting, index) => {
          waiting.resolve(outcomes[index] as Outcome);
        });
      };
    } catch (error) {
      if (batch.length === 1 || options.isOutcomeUnknown(error)) {
        return () => {
          for (const waiting of batch) waiting.reject(error);
        };
      }
      const told: (() => void)[] = [];
      for (const waiting of batch) told.push(await settle([waiting]));
      return () => {
        for (const tell of told) tell();
      };
    }
  }

  function pump(): void {
    while (inFlight < options.maxInFlight && queue.length > 0) send(queue.splice(0, options.maxRows));
  }

  function send(batch: Waiting<Row, Outcome>[]): void {
    inFlight++;
    let isOverdue = false;
    const timer =
      options.patienceMs === undefined
        ? undefined
        : setTimeout(() => {
            // Enough stuck statements say that the database is slow, not that one row is locked: then all wait.
            if (overdue >= maxOverdue) return;
            isOverdue = true;
            overdue++;
            inFlight--;
            pump();
          }, options.patienceMs);
    void settle(batch).then((tell) => {
      clearTimeout(timer);
      if (isOverdue) overdue--;
      else inFlight--;
      const isNextWaiting = queue.length > 0;
      pump();
      // The next statement is on the wire before the callers of this one write their answers: PostgreSQL would
      // otherwise stand idle for as long as that takes.
      if (isNextWaiting) setImmediate(tell);
      else tell();
    });
  }

  return (row) =>
    new Promise<Outcome>((resolve, reject) => {
      queue.push({ row, resolve, reject });
      // Gather everything this turn of the event loop brings before the first statement leaves.
      if (queue.length === 1) setImmediate(pump);
    });
}

/** Errors with an SQLSTATE came from PostgreSQL itself: the statement did not commit. Anything else may have. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  const code = (error as Error & { code?: string }).code ?? '';
  // Class 08 is connection trouble, 57P01–57P03 the server going away: unknown outcome though PostgreSQL said so.
  return !/^[0-9A-Z]{5}$/.test(code) || code.startsWith('08') || code.startsWith('57P');
}
