import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CompiledPolicies,
  checkPolicies,
  compilePolicies,
  type Decision,
  type DecisionInput,
  type DecisionPoint,
  decide as decideWith,
  slicePolicies,
  splitPolicies,
} from '#guard/decide/index.ts';
import { canonicalJson } from '#lib/platform/canonical-json.ts';
import { sha256 } from '#lib/platform/crypto.ts';

export type PolicySet = {
  /** Names the whole set: SHA-256 of its canonical form, so that equal names are equal policies. */
  readonly version: string;
  /** Cedar text by policy id. */
  readonly policies: Readonly<Record<string, string>>;
};

let loaded: PolicySet | null = null;
const slices = new Map<string, CompiledPolicies>();

/**
 * The policies in force, read once from `policies/default` and validated strictly against the schema. A set that
 * does not validate stops the start: half a policy set decides nothing.
 */
export function policiesInForce(): PolicySet {
  if (loaded) return loaded;
  const folder = join(import.meta.dirname, '../../policies');
  const files = readdirSync(join(folder, 'default'))
    .filter((name) => name.endsWith('.cedar'))
    .sort();
  const policies = splitPolicies(...files.map((name) => readFileSync(join(folder, 'default', name), 'utf8')));
  const problems = checkPolicies(readFileSync(join(folder, 'schema.cedarschema'), 'utf8'), policies);
  if (problems.length > 0) throw new TypeError(`The policies are not sound: ${problems.join('; ')}`);
  loaded = { version: sha256(canonicalJson(policies)).slice(0, 22), policies };
  return loaded;
}

/** The policies that can concern one server, as its guards get them. */
export function policySliceOf(serverId: string): PolicySet {
  const { version, policies } = policiesInForce();
  return { version, policies: slicePolicies(policies, serverId) };
}

/**
 * The one decision function, at every point: registration, claim, issuance, refresh, listing and invocation. The
 * code is the guard's own, so that a decision here and a decision there cannot differ. `serverId` chooses the slice;
 * registration concerns no server.
 */
export function decide<Point extends DecisionPoint>(
  point: Point,
  input: DecisionInput<Point>,
  serverId: string | null,
): Decision {
  const key = serverId ?? '';
  let compiled = slices.get(key);
  if (!compiled) {
    const { version, policies } = serverId ? policySliceOf(serverId) : policiesInForce();
    compiled = compilePolicies(version, policies);
    slices.set(key, compiled);
  }
  return decideWith(compiled, point, input);
}
