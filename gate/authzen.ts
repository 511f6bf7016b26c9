import type { Context } from 'hono';
import { z } from 'zod';
import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { type Evaluation, evaluateAccess, evaluationInput } from '#lib/credentials/evaluate-access.ts';
import { findResourceServer } from '#lib/credentials/resource-tokens.ts';
import { DomainError, httpStatusOf, Invalid, Unauthenticated } from '#lib/platform/errors.ts';
import { describeStrictJsonReason, parseStrictJson } from '#lib/platform/strict-json.ts';
import { BodyTooLarge, mediaTypeOf, readBody } from './body.ts';
import { askedOf, readServerCaller } from './callers.ts';
import { ctxOf, type GateCtx } from './context.ts';
import { allowCrossOrigin, crossOriginHeaders } from './oauth/answer.ts';
import type { OAuthEnv, Register } from './oauth/endpoint.ts';
import { problemOf } from './problem.ts';

const maxBodyBytes = 128 * 1024;
const maxEvaluations = 100;
const requestIdForm = /^[\x21-\x7e]{1,128}$/;

const partial = evaluationInput.partial();
/** AuthZEN 1.0 §7: defaults beside the list, each entry may override them. */
const evaluationsInput = partial.extend({
  evaluations: z.array(partial).max(maxEvaluations).optional(),
  options: z
    .object({
      evaluations_semantic: z
        .enum(['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'])
        .default('execute_all'),
    })
    .optional(),
});

/**
 * The AuthZEN Authorization API 1.0: the question a guard answers by itself, for every other enforcement point. Only
 * guards and MCP servers ask, each about its own tools; a decision is always a 200, a question nobody may ask never.
 */
export const registerAuthzen: Register = (app, gate) => {
  const { issuer } = gate.site;
  const configuration = {
    policy_decision_point: issuer,
    access_evaluation_endpoint: `${issuer}/access/v1/evaluation`,
    access_evaluations_endpoint: `${issuer}/access/v1/evaluations`,
  };
  const configurationPath = '/.well-known/authzen-configuration';
  allowCrossOrigin(app, configurationPath, 'GET');
  app.get(configurationPath, (c) =>
    c.json(configuration, 200, { ...crossOriginHeaders, 'cache-control': 'public, max-age=300' }),
  );

  const answer =
    (evaluate: (ctx: GateCtx, serverIds: readonly string[], body: unknown) => Promise<object>) =>
    async (c: Context<OAuthEnv>): Promise<Response> => {
      const given = c.req.header('x-request-id');
      const headers: Record<string, string> = {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        ...(given && requestIdForm.test(given) ? { 'x-request-id': given } : {}),
      };
      const ctx = ctxOf(gate, c.env.caller);
      try {
        const body = await readBody(c.req.raw, maxBodyBytes);
        const { ctx: asCaller, serverIds } = await authenticate(ctx, c.req.raw, body);
        const output = await evaluate(asCaller, serverIds, parse(c.req.raw, body));
        return new Response(JSON.stringify(output), { status: 200, headers });
      } catch (error) {
        if (!(error instanceof DomainError || error instanceof z.ZodError)) throw error;
        const problem = problemOf(error, ctx.traceId);
        if (problem.status === 401) noteAnonymousRefusal(ctx, 'evaluation', 'unknown caller');
        // AuthZEN 1.0 §10.1.2: what is not understood is 400.
        const status =
          error instanceof BodyTooLarge
            ? 413
            : error instanceof DomainError && httpStatusOf(error) !== 422
              ? httpStatusOf(error)
              : 400;
        return new Response(JSON.stringify({ ...problem, status }), {
          status,
          headers: {
            ...headers,
            'content-type': 'application/problem+json',
            ...(status === 401 ? { 'www-authenticate': 'Bearer realm="evaluation"' } : {}),
          },
        });
      }
    };

  async function authenticate(ctx: GateCtx, request: Request, body: Uint8Array) {
    const caller = await readServerCaller(gate, askedOf(request), body);
    if (caller.kind === 'guard') {
      const actor = { kind: 'guard', guardId: caller.guardId, name: caller.name } as const;
      return { ctx: { ...ctx, actor }, serverIds: caller.serverIds };
    }
    const found = await findResourceServer(ctx, caller.token);
    if (!found) throw new Unauthenticated('The token of this server is not valid.');
    const actor = { kind: 'system', name: `server ${found.serverId}` } as const;
    return { ctx: { ...ctx, actor }, serverIds: [found.serverId] };
  }

  app.post(
    '/access/v1/evaluation',
    answer((ctx, serverIds, body) => evaluateAccess(ctx, serverIds, evaluationInput.parse(body))),
  );
  app.post(
    '/access/v1/evaluations',
    answer(async (ctx, serverIds, body) => {
      const { evaluations, options, ...defaults } = evaluationsInput.parse(body);
      if (!evaluations || evaluations.length === 0) {
        return evaluateAccess(ctx, serverIds, evaluationInput.parse(defaults));
      }
      const questions = evaluations.map((each) => evaluationInput.parse({ ...defaults, ...each }));
      const semantic = options?.evaluations_semantic ?? 'execute_all';
      const answers: Evaluation[] = [];
      for (const question of questions) {
        const one = await evaluateAccess(ctx, serverIds, question);
        answers.push(one);
        if (semantic === 'deny_on_first_deny' && !one.decision) break;
        if (semantic === 'permit_on_first_permit' && one.decision) break;
      }
      return { evaluations: answers };
    }),
  );
};

function parse(request: Request, body: Uint8Array): unknown {
  if (mediaTypeOf(request.headers.get('content-type')) !== 'application/json')
    throw new Invalid('Send the question as application/json.');
  const parsed = parseStrictJson(body, { maxBytes: maxBodyBytes, maxDepth: 32 });
  if (!parsed.ok) throw new Invalid(describeStrictJsonReason(parsed.error));
  return parsed.value;
}
