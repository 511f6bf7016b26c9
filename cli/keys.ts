import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { OperatorError } from '#lib/platform/operator-error.ts';

/** Makes a key that signs approvals: the private half into a file only this account reads, the public half printed. */
export function keysNew(file: string): void {
  const pair = generateKeyPairSync('ed25519');
  const privateJwk = JSON.stringify(pair.privateKey.export({ format: 'jwk' }));
  try {
    writeFileSync(file, `${privateJwk}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    throw new OperatorError(
      isThere
        ? `${file} exists already. Name another file; keys are not overwritten.`
        : `${file} cannot be written.`,
      { cause: error },
    );
  }
  console.log(JSON.stringify(pair.publicKey.export({ format: 'jwk' })));
  console.error(`The private half is in ${file}. Register the line above in Settings, under Passkeys.`);
}
