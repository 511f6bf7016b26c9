import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  checkpointText,
  keyHash,
  openNote,
  parseCheckpoint,
  rawPublicKey,
  signNote,
  verifierKey,
} from './checkpoint.ts';

/** The example of the signed note format, as published with its first implementation. */
const example = {
  verifierKey: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  signature: 'x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=',
};
const publicKey = Buffer.from('ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW', 'base64').subarray(1);
const peter = {
  name: 'PeterNeumann',
  publicKey,
  key: createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: publicKey.toString('base64url') },
    format: 'jwk',
  }),
};

test('the published example of a signed note opens, altered it does not', () => {
  const note = `${example.text}\n— PeterNeumann ${example.signature}\n`;
  expect(openNote(note, [peter])).toBe(example.text);
  expect(openNote(note.replace('answer', 'Answer'), [peter])).toBeNull();
  expect(openNote(note.replace('— PeterNeumann', '— Somebody'), [peter])).toBeNull();
  expect(openNote(example.text, [peter])).toBeNull();
});

test('a verifier key is written as other tools read it', () => {
  expect(verifierKey('PeterNeumann', publicKey)).toBe(example.verifierKey);
  expect(keyHash('PeterNeumann', publicKey).toString('hex')).toBe('c74f20a3');
});

test('a checkpoint says name, size and root, and is read back', () => {
  const pair = generateKeyPairSync('ed25519');
  const raw = rawPublicKey(pair.publicKey.export({ format: 'jwk' }) as { x: string });
  const root = Buffer.alloc(32, 7);
  const text = checkpointText({ origin: 'countersign.example/audit', size: 1234, root });
  expect(text).toBe(`countersign.example/audit\n1234\n${root.toString('base64')}\n`);
  const signer = { name: 'countersign.example/audit', publicKey: raw, privateKey: pair.privateKey };
  const verifier = { name: signer.name, publicKey: raw, key: pair.publicKey };
  const opened = openNote(signNote(text, signer), [peter, verifier]);
  expect(opened && parseCheckpoint(opened)).toEqual({
    origin: 'countersign.example/audit',
    size: 1234,
    root,
  });
});

test.each([
  ['a size with a leading zero', 'log\n01\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n'],
  ['a root that is not 32 bytes', 'log\n1\nBwcH\n'],
  ['a missing line', 'log\n1\n'],
])('%s is no checkpoint', (_name, text) => {
  expect(parseCheckpoint(text)).toBeNull();
});
