import { posix } from 'node:path';
import { canonicalJson } from './canonical.ts';
import type { Constraint } from './protocol.ts';

/**
 * The first constraint the arguments do not meet, or null. A missing argument
 * meets none, and neither does anything an unknown operator is asked about:
 * what cannot be checked is not permitted.
 */
export function unmetConstraint(constraints: readonly Constraint[], given: unknown): Constraint | null {
  return constraints.find((constraint) => !meets(constraint, valueAt(given, constraint.pointer))) ?? null;
}

/** The condition as words for the one who was refused. */
export function describeConstraint({ pointer, operator, value }: Constraint): string {
  return `argument ${pointer} must be ${operator.replaceAll('_', ' ')} ${JSON.stringify(value)}`;
}

function meets({ operator, value }: Constraint, given: unknown): boolean {
  if (given === undefined) return false;
  switch (operator) {
    case 'equal_to':
      return canonicalJson(given) === canonicalJson(value);
    case 'one_of':
      return Array.isArray(value) && value.some((each) => canonicalJson(given) === canonicalJson(each));
    case 'starting_with':
      return typeof given === 'string' && typeof value === 'string' && given.startsWith(value);
    case 'below_path':
      return typeof given === 'string' && typeof value === 'string' && isBelow(given, value);
    case 'at_most':
      return typeof given === 'number' && typeof value === 'number' && given <= value;
    case 'at_least':
      return typeof given === 'number' && typeof value === 'number' && given >= value;
    default:
      return false;
  }
}

/** Whether a path stays in a folder once its `.` and `..` are worked out. */
function isBelow(given: string, folder: string): boolean {
  if (given.includes('\0') || given.includes('\\')) return false;
  const [path, base] = [posix.normalize(given), posix.normalize(`${folder}/`)];
  return posix.isAbsolute(path) === posix.isAbsolute(base) && `${path}/`.startsWith(base);
}

/** RFC 6901, own members only. */
function valueAt(given: unknown, pointer: string): unknown {
  if (pointer === '') return given;
  if (!pointer.startsWith('/')) return undefined;
  let node = given;
  for (const part of pointer.slice(1).split('/')) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, name)) return undefined;
    node = (node as Record<string, unknown>)[name];
  }
  return node;
}
