import { type KeyObject, sign, verify } from 'node:crypto';
import { sha256Bytes } from '#lib/platform/crypto.ts';
import type { Site } from '#lib/platform/ctx.ts';

/**
 * Signed tree heads in the form of C2SP tlog-checkpoint: a signed note (C2SP signed-note) whose text is the log's
 * name, its size and its root, so that any witness or tool for transparency logs can read and countersign them.
 */
export type Checkpoint = { origin: string; size: number; root: Buffer };
export type NoteSigner = { name: string; publicKey: Uint8Array; privateKey: KeyObject };
export type NoteVerifier = { name: string; publicKey: Uint8Array; key: KeyObject };

/** Ed25519 in the notes' registry of algorithms. */
const ed25519 = 0x01;

/** The log's name: the issuer without its scheme. It is also the name of the key that signs. */
export function logOrigin(site: Pick<Site, 'issuer'>): string {
  const { host, pathname } = new URL(site.issuer);
  return `${host}${pathname === '/' ? '' : pathname}/audit`;
}

/** The raw 32 bytes of an Ed25519 public JWK. */
export function rawPublicKey(jwk: { x: string }): Buffer {
  return Buffer.from(jwk.x, 'base64url');
}

/** First four bytes of SHA-256 over name, newline, algorithm and public key (C2SP signed-note). */
export function keyHash(name: string, publicKey: Uint8Array): Buffer {
  return sha256Bytes(Buffer.from(`${name}\n`), Uint8Array.of(ed25519), publicKey).subarray(0, 4);
}

/** The verifier key as other tools take it: `name+hash+base64`. */
export function verifierKey(name: string, publicKey: Uint8Array): string {
  const key = Buffer.concat([Uint8Array.of(ed25519), publicKey]).toString('base64');
  return `${name}+${keyHash(name, publicKey).toString('hex')}+${key}`;
}

/** Signs a note's text, which must end in a newline. */
export function signNote(text: string, signer: NoteSigner): string {
  const signature = sign(null, Buffer.from(text, 'utf8'), signer.privateKey);
  const line = Buffer.concat([keyHash(signer.name, signer.publicKey), signature]).toString('base64');
  return `${text}\n— ${signer.name} ${line}\n`;
}

/** The text of a note that at least one of the verifiers has signed; null when none has, or it is no note. */
export function openNote(note: string, verifiers: readonly NoteVerifier[]): string | null {
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) return null;
  const text = note.slice(0, split + 1);
  for (const line of note.slice(split + 2, -1).split('\n')) {
    const parts = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(line);
    if (!parts) return null;
    const [, name = '', encoded = ''] = parts;
    const bytes = Buffer.from(encoded, 'base64');
    for (const verifier of verifiers) {
      if (verifier.name !== name || !keyHash(name, verifier.publicKey).equals(bytes.subarray(0, 4))) continue;
      if (verify(null, Buffer.from(text, 'utf8'), verifier.key, bytes.subarray(4))) return text;
    }
  }
  return null;
}

export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** The checkpoint a note's text states, or null. Lines after the third are extensions and are ignored. */
export function parseCheckpoint(text: string): Checkpoint | null {
  const [origin, size, root] = text.split('\n');
  if (!origin || !size || !root || !/^(?:0|[1-9][0-9]{0,15})$/.test(size)) return null;
  const bytes = Buffer.from(root, 'base64');
  if (bytes.length !== 32 || bytes.toString('base64') !== root) return null;
  return { origin, size: Number(size), root: bytes };
}
