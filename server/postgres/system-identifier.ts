import { open } from 'node:fs/promises';
import path from 'node:path';

/**
 * The number initdb gave this cluster, as its control file begins with it; null where there is no cluster. Two clusters
 * never share it, a copied folder keeps it.
 */
export async function readSystemIdentifier(dataFolder: string): Promise<bigint | null> {
  const file = await open(path.join(dataFolder, 'global', 'pg_control')).catch(() => null);
  if (!file) return null;
  try {
    const bytes = Buffer.alloc(8);
    const { bytesRead } = await file.read(bytes, 0, 8, 0);
    return bytesRead === 8 ? bytes.readBigUInt64LE() : null;
  } finally {
    await file.close();
  }
}
