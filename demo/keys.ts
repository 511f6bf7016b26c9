import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { addCommandLineKey, readPublicJwk } from '#lib/access/command-line-keys.ts';
import { signStatement } from '#lib/access/command-line-signing.ts';
import { hasRole } from '#lib/access/require.ts';
import type { Signature } from '#lib/access/signatures.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { type PersonaKey, personas } from './personas.ts';

/**
 * What the personas sign approvals with: a key of the command line each, whose private half lies in the demo's own
 * folder. Signatures made with it are as genuine as any other; only who may have them made is made up.
 */
export type DemoKeys = {
  /** Registers the persona's key, once; the actor of the context is the persona, who has just proved it. */
  enrol(ctx: Ctx, who: PersonaKey): Promise<void>;
  sign(who: PersonaKey, statement: string): Signature;
};

/** Opens the keys kept in the folder, and makes them at the first time. */
export function openDemoKeys(dataFolder: string): DemoKeys {
  const file = path.join(dataFolder, 'demo', 'keys.json');
  if (!existsSync(file)) {
    const keys = Object.fromEntries(
      personas.map(({ key }) => [key, generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })]),
    );
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, `${JSON.stringify(keys, null, 2)}\n`, { mode: 0o600 });
  }
  const keys = JSON.parse(readFileSync(file, 'utf8')) as Record<PersonaKey, JsonWebKey>;
  return {
    async enrol(ctx, who) {
      // Only approvers sign.
      if (!hasRole(ctx.actor, 'approver')) return;
      const { d: _private, ...publicJwk } = keys[who];
      const publicKey = JSON.stringify(publicJwk);
      const read = readPublicJwk(publicKey);
      if (!read.ok) throw new TypeError(read.error);
      const { credentialId } = read.value;
      if (await ctx.db.prisma.personKey.findUnique({ where: { credentialId } })) return;
      await addCommandLineKey(ctx, { name: 'Demo key', publicKey });
    },
    sign: (who, statement) => signStatement(keys[who], statement),
  };
}
