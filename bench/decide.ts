import { readdirSync, readFileSync } from 'node:fs';
import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { compilePolicies, decide, slicePolicies, splitPolicies, WarmDecider } from '#guard/decide/index.ts';
import type { InvokeInput } from '#guard/decide/types.ts';
import { type BenchRow, median, round } from './row.ts';

const serverCount = 50;
const policiesPerServer = 20;
const rounds = 15;
const callsPerRound = 1_000;

/**
 * `decide-cold` and `decide-warm`: one decision about a tool call in process, 1,000 policies for 50 servers beside the
 * default ones, sliced to one server. Cold is held against bare Cedar asked about the same slice with the same
 * entities, in turns; warm is the same question again. Token verification is not in it.
 */
export async function run(): Promise<BenchRow[]> {
  const policies = { ...defaultPolicies(), ...teamPolicies() };
  const slice = slicePolicies(policies, 'srv_7');
  const compiled = compilePolicies('bench', slice);
  const input = invokeInput('srv_7');
  const bareCall = bareCallFor(slice);
  const warm = new WarmDecider(compiled);
  const few = compilePolicies(
    'bench',
    slicePolicies({ ...defaultPolicies(), ...teamPolicies(7, 8) }, 'srv_7'),
  );
  if (decide(compiled, 'invoke', input).outcome !== 'permit' || bareCall() !== 'allow')
    throw new Error('the measured decision is not a permit');

  const times = { cold: [] as number[], bare: [] as number[], warm: [] as number[], few: [] as number[] };
  for (let round_ = 0; round_ < rounds; round_++) {
    times.bare.push(...timed(bareCall));
    times.cold.push(...timed(() => decide(compiled, 'invoke', input)));
    times.few.push(...timed(() => decide(few, 'invoke', input)));
    times.warm.push(...timed(() => warm.decide('invoke', input)));
  }
  const [cold, bare, warmed, withFew] = [times.cold, times.bare, times.warm, times.few].map(median) as [
    number,
    number,
    number,
    number,
  ];
  const count = Object.keys(policies).length;
  const conditions = `${count} policies, ${Object.keys(slice).length} in the slice, one thread, p50 of ${rounds * callsPerRound}`;
  return [
    {
      row: 'decide-cold',
      value: round(cold, 1),
      unit: 'µs p50',
      peer: round(bare, 1),
      ratio: round(cold / bare),
      goal: '≤ 1.25 × bare sliced Cedar',
      met: cold / bare <= 1.25,
      conditions: `${conditions}; ${round(cold / withFew)} × what it costs without the other servers' policies`,
    },
    {
      row: 'decide-warm',
      value: round(warmed, 1),
      unit: 'µs p50',
      peer: round(bare, 1),
      ratio: round(warmed / bare),
      goal: '≤ 15 µs',
      met: warmed <= 15,
      conditions,
    },
  ];
}

function defaultPolicies(): Record<string, string> {
  const folder = new URL('../policies/default/', import.meta.url);
  return splitPolicies(...readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8')));
}

/** What teams write: permits and forbids for their own server, some for single agents. */
function teamPolicies(from = 0, to = serverCount): Record<string, string> {
  const policies: Record<string, string> = {};
  for (let server = from; server < to; server++) {
    for (let index = 0; index < policiesPerServer; index++) {
      const effect = index % 4 === 0 ? 'forbid' : 'permit';
      policies[`team-${server}-${index}`] =
        `${effect} (principal is Agent, action == Action::"invoke", resource in Server::"srv_${server}") ` +
        `when { resource.name == "tool-${index}" && principal.owner == "prs_${index}" && principal.dataClass == "internal" };`;
    }
  }
  return policies;
}

function invokeInput(serverId: string): InvokeInput {
  return {
    agent: {
      id: 'agt_1',
      state: 'active',
      owner: 'prs_1',
      source: 'src_1',
      clientClass: 'interactive',
      attended: true,
      dataClass: 'internal',
    },
    tool: { serverId, name: 'read_note', class: 'read', risk: 'low' },
    bound: true,
    at: new Date('2026-11-20T10:00:00Z'),
    arguments: { name: 'plan' },
  };
}

/** Cedar by itself: the same slice, the same entities and context, prepared once. */
function bareCallFor(slice: Record<string, string>): () => string {
  const parsed = cedar.preparsePolicySet('bench-bare', { staticPolicies: slice });
  if (parsed.type !== 'success') throw new Error('the slice does not parse');
  const { agent, tool } = invokeInput('srv_7');
  const { id, ...attributes } = agent;
  const principal = { type: 'Agent', id };
  const resource = { type: 'Tool', id: `${tool.serverId}/${tool.name}` };
  const call = {
    principal,
    action: { type: 'Action', id: 'invoke' },
    resource,
    context: {
      time: { epochSeconds: 1_795_168_800, hour: 10, weekday: 5 },
      bound: true,
      arguments: { digest: '', bytes: 0, pairs: [] },
    },
    preparsedPolicySetId: 'bench-bare',
    entities: [
      { uid: principal, attrs: attributes, parents: [] },
      {
        uid: resource,
        attrs: { name: tool.name, class: tool.class, risk: tool.risk },
        parents: [{ type: 'Server', id: tool.serverId }],
      },
    ],
  };
  return () => {
    const result = cedar.statefulIsAuthorized(call);
    return result.type === 'success' ? result.response.decision : 'failure';
  };
}

/** Microseconds of each call. */
function timed(call: () => unknown): number[] {
  const times: number[] = [];
  for (let index = 0; index < callsPerRound; index++) {
    const startedMs = performance.now();
    call();
    times.push((performance.now() - startedMs) * 1_000);
  }
  return times;
}
