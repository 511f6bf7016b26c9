import pg from 'pg';

/** One table as a backup holds it: which columns in which order, and how its rows are read so that they come alike each time. */
export type BackupTable = { name: string; columns: string[]; select: string };

/** Prisma's own; a restore makes it anew by running the migrations the header names. */
const neverCopied = ['_prisma_migrations'];

/**
 * What lives for a day at most and is worth nothing after a restore, which ends every session and token: answers kept
 * for a repeated call (sealed, and still nobody's to keep for years), budgets, and one-use steps of signing in.
 * `assertion_use` stays in: it holds digests alone, and a restored database without it would take an assertion again.
 */
const ephemeral = ['idempotency_key', 'passkey_challenge', 'rate_bucket', 'sign_in_handoff'];

/**
 * The tables of a database, each after those it refers to. The rows of history come in the order of the log, so that
 * its tree can be computed again while they pass; all others in the order of their keys.
 */
export async function listTables(
  client: pg.Client,
  options: { withoutEphemeral?: boolean } = {},
): Promise<BackupTable[]> {
  const { rows } = await client.query<{ name: string; columns: string[]; keys: string[]; refers: string[] }>(
    `SELECT c.relname AS name,
        (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
        (SELECT array_agg(quote_ident(a.attname) || CASE WHEN a.attcollation <> 0 THEN ' COLLATE "C"' ELSE '' END
                          ORDER BY k.n)
           FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(number, n)
           JOIN pg_attribute a ON a.attnum = k.number
          WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid) AS keys,
        coalesce((SELECT array_agg(DISTINCT r.relname::text) FROM pg_constraint f JOIN pg_class r ON r.oid = f.confrelid
          WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid), '{}') AS refers
       FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> ALL ($1)
      ORDER BY c.relname`,
    [options.withoutEphemeral ? [...neverCopied, ...ephemeral] : neverCopied],
  );
  const known = new Map(rows.map((row) => [row.name, row]));
  const ordered: BackupTable[] = [];
  const visit = (name: string) => {
    const row = known.get(name);
    if (!row) return;
    known.delete(name);
    for (const other of row.refers) visit(other);
    ordered.push({ name, columns: row.columns, select: selectOf(name, row.columns, row.keys) });
  };
  for (const { name } of rows) visit(name);
  return ordered;
}

function selectOf(name: string, columns: readonly string[], keys: readonly string[]): string {
  const from = `SELECT ${columns.map((column) => `t.${pg.escapeIdentifier(column)}`).join(', ')} FROM ${pg.escapeIdentifier(name)} t`;
  return name === 'audit_event'
    ? `${from} LEFT JOIN audit_leaf l ON l.event_id = t.id ORDER BY l.sequence NULLS LAST, t.arrival`
    : `${from} ORDER BY ${keys.map((key) => `t.${key}`).join(', ')}`;
}

/** The last value each sequence of the schema gave out, as text; null where it gave out none. */
export async function readSequences(client: pg.Client): Promise<Record<string, string | null>> {
  const { rows } = await client.query<{ name: string; last: string | null }>(
    `SELECT sequencename AS name, last_value::text AS last FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1`,
  );
  return Object.fromEntries(rows.map(({ name, last }) => [name, last]));
}
