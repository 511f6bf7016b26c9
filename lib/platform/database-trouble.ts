import { isDatabaseTrouble } from './db.ts';

/**
 * Whether an error means that the database cannot answer just now, also where Prisma has wrapped what PostgreSQL said:
 * a full disk or a read-only server then is a known request error whose SQLSTATE stands in its `meta` alone.
 */
export function meansDatabaseTrouble(error: unknown): boolean {
  if (isDatabaseTrouble(error)) return true;
  const code = sqlStateBehind(error);
  return code !== null && isDatabaseTrouble(Object.assign(new Error(code), { code }));
}

type Wrapped = { meta?: { driverAdapterError?: { cause?: { originalCode?: unknown } } } };

function sqlStateBehind(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const code = (error as Error & Wrapped).meta?.driverAdapterError?.cause?.originalCode;
  return typeof code === 'string' ? code : null;
}
