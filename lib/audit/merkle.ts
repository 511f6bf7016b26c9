import { sha256Bytes } from '#lib/platform/crypto.ts';

/**
 * The Merkle tree of RFC 6962 §2.1 over the log. A node `(level, index)` covers the leaves
 * `[index · 2^level, (index + 1) · 2^level)`; complete nodes never change, so they are stored once and every root
 * and proof, of any size the log ever had, is put together from them.
 */
export type NodeReader = (level: number, index: number) => Uint8Array;

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

/** MTH({}) of RFC 6962 §2.1: the root of a log without entries. */
export const emptyRoot: Buffer = sha256Bytes();

/** Hash of a leaf (RFC 6962 §2.1): the prefix keeps a leaf from passing for a node. */
export function leafHashOf(entry: Uint8Array): Buffer {
  return sha256Bytes(leafPrefix, entry);
}

export function nodeHashOf(left: Uint8Array, right: Uint8Array): Buffer {
  return sha256Bytes(nodePrefix, left, right);
}

export type TreeNode = { level: number; index: number; hash: Buffer };

/**
 * Grows a log of `size` leaves by `leafHashes` and returns the nodes of level 1 and up that became complete.
 * `nodeAt` reads complete nodes of the log as it was; only the right edge is asked for.
 */
export function nodesCompletedBy(
  size: number,
  leafHashes: readonly Uint8Array[],
  nodeAt: NodeReader,
): TreeNode[] {
  const completed: TreeNode[] = [];
  const fresh = new Map<string, Uint8Array>();
  const read: NodeReader = (level, index) => fresh.get(`${level}/${index}`) ?? nodeAt(level, index);
  leafHashes.forEach((leafHash, offset) => {
    let level = 0;
    let index = size + offset;
    let hash = leafHash;
    fresh.set(`0/${index}`, hash);
    // An odd index closes its parent, which may close its own.
    while (index % 2 === 1) {
      const parent = nodeHashOf(read(level, index - 1), hash);
      level += 1;
      index = (index - 1) / 2;
      hash = parent;
      fresh.set(`${level}/${index}`, parent);
      completed.push({ level, index, hash: parent });
    }
  });
  return completed;
}

/** Largest power of two smaller than `count`: where RFC 6962 splits a range of `count` > 1 leaves. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

/** MTH of the leaves `[start, end)`; `start` is a multiple of every power of two the range needs. */
function rangeHash(start: number, end: number, nodeAt: NodeReader): Uint8Array {
  const count = end - start;
  let level = 0;
  let width = 1;
  while (width < count) {
    width *= 2;
    level += 1;
  }
  if (width === count) return nodeAt(level, start / width);
  const middle = start + splitOf(count);
  return nodeHashOf(rangeHash(start, middle, nodeAt), rangeHash(middle, end, nodeAt));
}

/** The root of the first `size` leaves. */
export function rootOf(size: number, nodeAt: NodeReader): Uint8Array {
  return size === 0 ? emptyRoot : rangeHash(0, size, nodeAt);
}

/** The audit path of leaf `index` in the tree of `size` leaves (RFC 6962 §2.1.1), from the leaf up. */
export function inclusionProof(index: number, size: number, nodeAt: NodeReader): Uint8Array[] {
  if (!(index >= 0 && index < size)) throw new RangeError('the leaf is not in a tree of that size');
  const path = (start: number, end: number): Uint8Array[] => {
    if (end - start === 1) return [];
    const middle = start + splitOf(end - start);
    return index < middle
      ? [...path(start, middle), rangeHash(middle, end, nodeAt)]
      : [...path(middle, end), rangeHash(start, middle, nodeAt)];
  };
  return path(0, size);
}

/** That the tree of `oldSize` is a prefix of the tree of `newSize` (RFC 6962 §2.1.2). */
export function consistencyProof(oldSize: number, newSize: number, nodeAt: NodeReader): Uint8Array[] {
  if (!(oldSize >= 1 && oldSize <= newSize))
    throw new RangeError('the older tree must not be empty or larger');
  const proof = (start: number, end: number, whole: boolean): Uint8Array[] => {
    const size = oldSize - start;
    if (size === end - start) return whole ? [] : [rangeHash(start, end, nodeAt)];
    const split = splitOf(end - start);
    return size <= split
      ? [...proof(start, start + split, whole), rangeHash(start + split, end, nodeAt)]
      : [...proof(start + split, end, false), rangeHash(start, start + split, nodeAt)];
  };
  return proof(0, newSize, true);
}

/** Checks an audit path (RFC 9162 §2.1.3.2, same trees). False for anything that does not lead to `root`. */
export function verifyInclusion(input: {
  leafHash: Uint8Array;
  index: number;
  size: number;
  proof: readonly Uint8Array[];
  root: Uint8Array;
}): boolean {
  if (!(input.index >= 0 && input.index < input.size)) return false;
  let node = input.index;
  let last = input.size - 1;
  let hash = input.leafHash;
  for (const sibling of input.proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHashOf(sibling, hash);
      while (node % 2 === 0 && node !== 0) {
        node = node / 2;
        last = Math.floor(last / 2);
      }
    } else {
      hash = nodeHashOf(hash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && Buffer.compare(hash, input.root) === 0;
}

/** Checks a consistency proof (RFC 9162 §2.1.4.2). */
export function verifyConsistency(input: {
  oldSize: number;
  newSize: number;
  oldRoot: Uint8Array;
  newRoot: Uint8Array;
  proof: readonly Uint8Array[];
}): boolean {
  const { oldSize, newSize, oldRoot, newRoot } = input;
  if (!(oldSize >= 1 && oldSize <= newSize)) return false;
  if (oldSize === newSize) return input.proof.length === 0 && Buffer.compare(oldRoot, newRoot) === 0;
  const isPowerOfTwo = splitOf(oldSize * 2) === oldSize;
  const path = isPowerOfTwo ? [oldRoot, ...input.proof] : [...input.proof];
  const first = path.shift();
  if (!first) return false;
  let node = oldSize - 1;
  let last = newSize - 1;
  while (node % 2 === 1) {
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  let oldHash = first;
  let newHash = first;
  for (const sibling of path) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      oldHash = nodeHashOf(sibling, oldHash);
      newHash = nodeHashOf(sibling, newHash);
      while (node % 2 === 0 && node !== 0) {
        node = node / 2;
        last = Math.floor(last / 2);
      }
    } else {
      newHash = nodeHashOf(newHash, sibling);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && Buffer.compare(oldHash, oldRoot) === 0 && Buffer.compare(newHash, newRoot) === 0;
}

/** The complete nodes a computation asks for, found by running it over placeholders: one read fetches them all. */
export function nodesAskedBy(compute: (nodeAt: NodeReader) => unknown): { level: number; index: number }[] {
  const asked = new Map<string, { level: number; index: number }>();
  compute((level, index) => {
    asked.set(`${level}/${index}`, { level, index });
    return emptyRoot;
  });
  return [...asked.values()];
}
