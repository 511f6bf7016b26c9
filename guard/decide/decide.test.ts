import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ToolClass, toolClasses, toolRisks } from '../protocol.ts';
import {
  checkPolicies,
  compilePolicies,
  decide,
  PolicyProblem,
  slicePolicies,
  splitPolicies,
  WarmDecider,
} from './index.ts';
import type { AgentPrincipal, InvokeInput } from './types.ts';

const at = new Date('2026-11-20T10:00:00Z');
const agent: AgentPrincipal = {
  id: 'agt_1',
  state: 'active',
  owner: 'prs_1',
  source: 'src_1',
  clientClass: 'interactive',
  attended: true,
  dataClass: 'internal',
};
const call = (over: Partial<InvokeInput> = {}): InvokeInput => ({
  agent,
  tool: { serverId: 'srv_1', name: 'read', class: 'read', risk: 'low' },
  bound: true,
  at,
  arguments: {},
  ...over,
});
const permitBound = 'permit (principal, action, resource) when { context.bound };';

describe('decide', () => {
  test('denies when no policy permits, and says so', () => {
    const decision = decide(compilePolicies('v1', {}), 'invoke', call());
    expect(decision).toMatchObject({ outcome: 'deny', policies: [], policyVersion: 'v1' });
    expect(decision.reasons[0]?.code).toBe('nothing_permits');
  });

  test('permits when a policy permits and names it', () => {
    const policies = compilePolicies('v1', { bound: permitBound });
    expect(decide(policies, 'invoke', call())).toEqual({
      outcome: 'permit',
      reasons: [],
      policyVersion: 'v1',
      policies: ['bound'],
    });
    expect(decide(policies, 'invoke', call({ bound: false })).outcome).toBe('deny');
  });

  test('denies when a forbid cannot be evaluated, though Cedar alone would allow', () => {
    const policies = compilePolicies('v1', {
      bound: permitBound,
      broken: 'forbid (principal, action, resource) when { principal.noSuchAttribute == 1 };',
    });
    const decision = decide(policies, 'invoke', call());
    expect(decision.outcome).toBe('deny');
    expect(decision.reasons[0]?.code).toBe('policy_error');
  });

  test('a forbid that asks for review turns a permit into needs_review, and never softens a deny', () => {
    const review =
      '@outcome("needs_review") @reason("A person looks.") @remedy("Wait.") forbid (principal, action, resource);';
    const asked = decide(compilePolicies('v1', { bound: permitBound, review }), 'invoke', call());
    expect(asked).toMatchObject({
      outcome: 'needs_review',
      policies: ['review'],
      reasons: [{ code: 'review', text: 'A person looks.', remedy: 'Wait.' }],
    });
    expect(decide(compilePolicies('v1', { review }), 'invoke', call()).outcome).toBe('deny');
    const both = {
      bound: permitBound,
      review,
      firm: '@reason("Never.") forbid (principal, action, resource);',
    };
    expect(decide(compilePolicies('v1', both), 'invoke', call())).toMatchObject({
      outcome: 'deny',
      policies: ['firm'],
      reasons: [{ text: 'Never.' }],
    });
  });

  test('lets a policy read time and arguments', () => {
    const policies = compilePolicies('v1', {
      bound: permitBound,
      nights: 'forbid (principal, action, resource) when { context.time.hour >= 22 };',
      production:
        'forbid (principal, action == Action::"invoke", resource) when { context.arguments.pairs.contains("environment=production") };',
    });
    expect(decide(policies, 'invoke', call()).outcome).toBe('permit');
    expect(decide(policies, 'invoke', call({ at: new Date('2026-11-20T23:00:00Z') })).policies).toEqual([
      'nights',
    ]);
    expect(decide(policies, 'invoke', call({ arguments: { environment: 'production' } })).policies).toEqual([
      'production',
    ]);
  });

  test('decides about a registration', () => {
    const policies = compilePolicies('v1', {
      loopback:
        'permit (principal is Client, action == Action::"register", resource == Source::"src_1") when { principal.redirect == "loopback" };',
    });
    const client = { id: 'cli_1', clientClass: 'interactive', redirect: 'loopback' as const };
    expect(decide(policies, 'register', { client, sourceId: 'src_1', at }).outcome).toBe('permit');
    expect(decide(policies, 'register', { client, sourceId: 'src_2', at }).outcome).toBe('deny');
  });

  test('names in a call are data: none of them reaches the policy language', () => {
    const policies = compilePolicies('v1', {
      one: 'permit (principal, action, resource == Tool::"srv_1/read") when { context.bound };',
    });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const tool = { serverId: 'srv_1', name, class: 'read' as ToolClass, risk: 'low' as const };
        expect(decide(policies, 'invoke', call({ tool })).outcome).toBe(name === 'read' ? 'permit' : 'deny');
      }),
      { numRuns: 300 },
    );
  });
});

describe('policies', () => {
  test('a set with a policy that does not parse is refused whole', () => {
    expect(() => compilePolicies('v1', { good: permitBound, bad: 'permit (principal' })).toThrow(
      PolicyProblem,
    );
  });

  test('a slice leaves out policies for other servers and keeps all others', () => {
    const policies = {
      everywhere: permitBound,
      here: 'forbid (principal, action, resource in Server::"srv_1");',
      there: 'forbid (principal, action, resource in Server::"srv_2");',
      tool: 'forbid (principal, action, resource == Tool::"srv_2/x");',
      kind: 'forbid (principal, action, resource is Tool in Server::"srv_2");',
    };
    expect(Object.keys(slicePolicies(policies, 'srv_1'))).toEqual(['everywhere', 'here']);
  });

  test('a slice decides as the whole set does', () => {
    const classes = fc.constantFrom(...toolClasses);
    const servers = ['srv_1', 'srv_2', 'srv_3'];
    const policy = fc.record({
      effect: fc.constantFrom('permit', 'forbid'),
      server: fc.option(fc.constantFrom(...servers)),
      class: classes,
    });
    fc.assert(
      fc.property(
        fc.array(policy, { maxLength: 12 }),
        fc.constantFrom(...servers),
        classes,
        fc.constantFrom(...toolRisks),
        (written, serverId, toolClass, risk) => {
          const policies = Object.fromEntries(
            written.map((each, index) => [
              `p${index}`,
              `${each.effect} (principal, action, resource${each.server ? ` in Server::"${each.server}"` : ''}) when { resource has class && resource.class == "${each.class}" };`,
            ]),
          );
          const input = call({ tool: { serverId, name: 'x', class: toolClass, risk } });
          expect(decide(compilePolicies('v', slicePolicies(policies, serverId)), 'invoke', input)).toEqual(
            decide(compilePolicies('v', policies), 'invoke', input),
          );
        },
      ),
      { numRuns: 100 },
    );
  });

  test('splits files by @id and refuses one without or one twice', () => {
    expect(Object.keys(splitPolicies(`@id("a") ${permitBound} @id("b") ${permitBound}`))).toEqual(['a', 'b']);
    expect(() => splitPolicies(permitBound)).toThrow('no @id');
    expect(() => splitPolicies(`@id("a") ${permitBound}`, `@id("a") ${permitBound}`)).toThrow('two policies');
  });

  test('validation against the schema names the policy', () => {
    const schema =
      'entity Agent = { "state": String }; entity Tool; action "invoke" appliesTo { principal: Agent, resource: Tool };';
    const problems = checkPolicies(schema, {
      typo: 'permit (principal, action, resource) when { principal.stat == "x" };',
    });
    expect(problems[0]).toContain('typo');
  });
});

describe('warm decisions', () => {
  test('are those of the cold function, for every order of calls', () => {
    const policies = compilePolicies('v1', {
      bound: permitBound,
      risk: 'forbid (principal, action, resource) when { resource.risk == "high" && !principal.attended };',
    });
    const agents = [agent, { ...agent, id: 'agt_2', attended: false }];
    const tools = toolRisks.map((risk) => ({
      serverId: 'srv_1',
      name: risk,
      class: 'read' as ToolClass,
      risk,
    }));
    const warm = new WarmDecider(policies);
    fc.assert(
      fc.property(
        fc.constantFrom(...agents),
        fc.constantFrom(...tools),
        fc.boolean(),
        fc.constantFrom('list' as const, 'invoke' as const),
        (who, tool, bound, point) => {
          const input = call({ agent: who, tool, bound });
          expect(warm.decide(point, input)).toEqual(decide(policies, point, input));
        },
      ),
    );
  });

  test('are not remembered when a policy reads time or arguments, however it does', () => {
    const conditions = [
      'context.time.hour < 12',
      'context has time && context == {"a": 1}',
      'context.arguments.bytes < 5',
    ];
    const read = conditions.map((condition) =>
      compilePolicies('v', { p: `permit (principal, action, resource) when { ${condition} };` }),
    );
    expect(read.map(({ readsTime, readsArguments }) => [readsTime, readsArguments])).toEqual([
      [true, false],
      [true, true],
      [false, true],
    ]);
    const mornings = read[0];
    if (!mornings) throw new TypeError('no policies');
    const warm = new WarmDecider(mornings);
    expect(warm.decide('invoke', call()).outcome).toBe('permit');
    expect(warm.decide('invoke', call({ at: new Date('2026-11-20T13:00:00Z') })).outcome).toBe('deny');
  });

  test('an agent that changed is a new agent to them', () => {
    const policies = compilePolicies('v1', {
      active: 'permit (principal, action, resource) when { principal.state == "active" };',
    });
    const warm = new WarmDecider(policies);
    expect(warm.decide('invoke', call()).outcome).toBe('permit');
    expect(warm.decide('invoke', call({ agent: { ...agent, state: 'suspended' } })).outcome).toBe('deny');
  });
});
