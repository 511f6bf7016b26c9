/**
 * Checks for values that came over the wire. Each check returns the value it
 * accepted, with members nobody knows left out, or throws `ShapeError` naming
 * the place. The guard depends on as little as it can, so this is not a library.
 */
export class ShapeError extends Error {
  readonly path: string;
  constructor(path: string, expected: string) {
    super(`${path || 'value'}: expected ${expected}`);
    this.name = 'ShapeError';
    this.path = path;
  }
}

export type Check<T> = (value: unknown, path?: string) => T;
export type Infer<C> = C extends Check<infer T> ? T : never;

type OptionalCheck<T> = Check<T | undefined> & { optional: true };
type Members = Record<string, Check<unknown>>;
type OptionalNames<M extends Members> = {
  [N in keyof M]: M[N] extends { optional: true } ? N : never;
}[keyof M];
type Shape<M extends Members> = { [N in Exclude<keyof M, OptionalNames<M>>]: Infer<M[N]> } & {
  [N in OptionalNames<M>]?: Infer<M[N]>;
};
type Flat<T> = { [N in keyof T]: T[N] };

/** A string of at most `maxLength` UTF-16 units. */
export const text =
  (maxLength = 4096): Check<string> =>
  (value, path = '') => {
    if (typeof value !== 'string' || value.length > maxLength)
      throw new ShapeError(path, `a string of at most ${maxLength} characters`);
    return value;
  };

/** A whole number from `min` up to the largest exact one. */
export const whole =
  (min = 0): Check<number> =>
  (value, path = '') => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min)
      throw new ShapeError(path, `a whole number of at least ${min}`);
    return value;
  };

export const flag: Check<boolean> = (value, path = '') => {
  if (typeof value !== 'boolean') throw new ShapeError(path, 'true or false');
  return value;
};

export const oneOf =
  <const T extends string | number>(...allowed: T[]): Check<T> =>
  (value, path = '') => {
    const found = allowed.find((each) => each === value);
    if (found === undefined) throw new ShapeError(path, allowed.join(' or '));
    return found;
  };

export const listOf =
  <T>(item: Check<T>, maxItems = 1_000_000): Check<T[]> =>
  (value, path = '') => {
    if (!Array.isArray(value) || value.length > maxItems)
      throw new ShapeError(path, `a list of at most ${maxItems} items`);
    return value.map((each, index) => item(each, `${path}[${index}]`));
  };

/** A JSON object; the result has no prototype, so no name in it is special. */
export const mapOf =
  <T>(item: Check<T>): Check<Record<string, T>> =>
  (value, path = '') => {
    const result: Record<string, T> = Object.create(null);
    for (const [name, each] of Object.entries(plainObject(value, path)))
      result[name] = item(each, `${path}.${name}`);
    return result;
  };

export const optional = <T>(check: Check<T>): OptionalCheck<T> =>
  Object.assign((value: unknown, path = '') => (value === undefined ? undefined : check(value, path)), {
    optional: true as const,
  });

export const object =
  <M extends Members>(members: M): Check<Flat<Shape<M>>> =>
  (value, path = '') => {
    const given = plainObject(value, path);
    const result: Record<string, unknown> = {};
    for (const [name, check] of Object.entries(members)) {
      const accepted = check(Object.hasOwn(given, name) ? given[name] : undefined, `${path}.${name}`);
      if (accepted !== undefined) result[name] = accepted;
    }
    return result as Flat<Shape<M>>;
  };

/** One of several objects, told apart by the string in member `tag`. */
export const taggedBy =
  <C extends Check<unknown>>(tag: string, kinds: Record<string, C>): Check<Infer<C>> =>
  (value, path = '') => {
    const kind = plainObject(value, path)[tag];
    const check = typeof kind === 'string' && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
    if (!check) throw new ShapeError(`${path}.${tag}`, Object.keys(kinds).join(' or '));
    return check(value, path) as Infer<C>;
  };

/** Any JSON value, kept as it is. */
export const anything: Check<unknown> = (value, path = '') => {
  if (value === undefined) throw new ShapeError(path, 'a value');
  return value;
};

function plainObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ShapeError(path, 'an object');
  return value as Record<string, unknown>;
}
