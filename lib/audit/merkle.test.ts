import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consistencyProof,
  emptyRoot,
  inclusionProof,
  leafHashOf,
  type NodeReader,
  nodeHashOf,
  nodesCompletedBy,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';

/** Entries and roots of the reference implementation of RFC 6962, sizes 1 to 8. */
const entries = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** A log in memory that grows the way the sequencer grows the stored one: only complete nodes are kept. */
function growLog(leaves: readonly Uint8Array[], batches: readonly number[]): NodeReader {
  const nodes = new Map<string, Uint8Array>();
  const read: NodeReader = (level, index) => {
    const hash = nodes.get(`${level}/${index}`);
    if (!hash) throw new Error(`no node ${level}/${index}`);
    return hash;
  };
  let size = 0;
  let turn = 0;
  while (size < leaves.length) {
    const batch = leaves.slice(size, size + (batches[turn++ % batches.length] ?? 1));
    const completed = nodesCompletedBy(size, batch, read);
    batch.forEach((hash, offset) => {
      nodes.set(`0/${size + offset}`, hash);
    });
    for (const node of completed) nodes.set(`${node.level}/${node.index}`, node.hash);
    size += batch.length;
  }
  return read;
}

/** MTH as RFC 6962 §2.1 writes it down, without any storage. */
function plainRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return emptyRoot;
  if (leaves.length === 1) return leaves[0] as Uint8Array;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHashOf(plainRoot(leaves.slice(0, split)), plainRoot(leaves.slice(split)));
}

const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, i) => leafHashOf(Buffer.from(`leaf ${i}`)));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('the tree of RFC 6962', () => {
  test('has the published roots for the published entries', () => {
    const leaves = entries.map((entry) => leafHashOf(Buffer.from(entry, 'hex')));
    const read = growLog(leaves, [3, 1]);
    expect(hex(rootOf(0, read))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(roots.map((_, index) => hex(rootOf(index + 1, read)))).toEqual(roots);
  });

  test('has the published audit path and consistency proof', () => {
    const leaves = entries.map((entry) => leafHashOf(Buffer.from(entry, 'hex')));
    const read = growLog(leaves, [8]);
    expect(inclusionProof(5, 8, read).map(hex)).toEqual([
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
    expect(consistencyProof(6, 8, read).map(hex)).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
  });

  test('grown in any batches it has the root of the definition', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 8 }),
        (count, batches) => {
          const leaves = leavesOf(count);
          expect(hex(rootOf(count, growLog(leaves, batches)))).toBe(hex(plainRoot(leaves)));
        },
      ),
    );
  });

  test('every proof holds for its leaf and its trees and for no other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 150 }), fc.nat(), fc.nat(), (newSize, a, b) => {
        const leaves = leavesOf(newSize);
        const read = growLog(leaves, [11, 2, 5]);
        const oldSize = (a % newSize) + 1;
        const index = b % oldSize;
        const root = rootOf(oldSize, read);
        const newRoot = rootOf(newSize, read);
        const proof = inclusionProof(index, oldSize, read);
        const leafHash = leaves[index] as Uint8Array;
        expect(verifyInclusion({ leafHash, index, size: oldSize, proof, root })).toBe(true);
        const other = leafHashOf(Buffer.from('another'));
        expect(verifyInclusion({ leafHash: other, index, size: oldSize, proof, root })).toBe(false);
        expect(verifyInclusion({ leafHash, index, size: oldSize, proof: [...proof, root], root })).toBe(
          false,
        );
        const consistency = consistencyProof(oldSize, newSize, read);
        const trees = { oldSize, newSize, oldRoot: root, newRoot };
        expect(verifyConsistency({ ...trees, proof: consistency })).toBe(true);
        expect(verifyConsistency({ ...trees, oldRoot: other, proof: consistency })).toBe(false);
        expect(verifyConsistency({ ...trees, newRoot: other, proof: consistency })).toBe(false);
        expect(verifyConsistency({ ...trees, proof: [...consistency, other] })).toBe(false);
      }),
    );
  });
});
