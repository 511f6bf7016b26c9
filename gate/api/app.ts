import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { recordRefusal } from '#lib/audit/refusals.ts';
import { isDatabaseTrouble } from '#lib/platform/database-trouble.ts';
import { DomainError, Invalid, NotFound, Unauthenticated } from '#lib/platform/errors.ts';
import { queryText } from '#lib/platform/query-text.ts';
import { describeStrictJsonReason, parseStrictJson } from '#lib/platform/strict-json.ts';
import { BodyTooLarge, mediaTypeOf, readBody } from '../body.ts';
import { type Caller, ctxOf, type Gate, type GateCtx } from '../context.ts';
import { methodNotAllowed } from '../method.ts';
import { type Problem, problemOf } from '../problem.ts';
import { AmbiguousCaller, actorOfApiCall } from '../session.ts';
import { withIdempotency } from './idempotency.ts';
import { openApiDocument } from './openapi.ts';
import type { ApiRoute } from './route.ts';
import { apiRoutes } from './routes.ts';

/** `readCookies`: only the console host looks at cookies; on the issuer host the API knows bearer tokens alone. */
export type ApiEnv = { Bindings: HttpBindings & { caller: Caller; readCookies: boolean } };
export type ApiApp = Hono<ApiEnv>;

const maxBodyBytes = 256 * 1024;
/** Of operations that take no parameters. */
const noQuery = z.object({});
const baseHeaders = {
  'cache-control': 'no-store',
  vary: 'Authorization, Cookie',
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
} as const;

/**
 * `/api/v1`: the same verbs and reads the console uses, for programs. A browser session may only read here; changes
 * need a bearer token, so no cross-site request can make one. Nothing is shared with other origins (no CORS).
 * `live` serves the one stream that is not a plain answer.
 */
export function createApiApp(
  gate: Gate,
  extras: { live?(c: Context<ApiEnv>): Response | Promise<Response> } = {},
): ApiApp {
  const app: ApiApp = new Hono<ApiEnv>().basePath('/api/v1');
  const document = JSON.stringify(openApiDocument(apiRoutes, gate.site));
  app.get('/openapi.json', (c) =>
    c.body(document, 200, { ...baseHeaders, 'content-type': 'application/json; charset=utf-8' }),
  );
  if (extras.live) {
    const live = extras.live;
    app.get('/live', (c) => live(c));
  }
  for (const route of apiRoutes) {
    app.on(route.method.toUpperCase(), honoPath(route.path), (c) => answer(gate, route, c));
  }
  app.notFound(
    (c) => methodNotAllowed(app, c) ?? problemResponse(problemOf(new NotFound(), c.env.caller.traceId ?? '')),
  );
  app.onError((error, c) => {
    gate.log.error({ err: error, traceId: c.env.caller.traceId, path: c.req.path }, 'API call failed');
    return problemResponse(problemOf(error, c.env.caller.traceId ?? ''));
  });
  return app;
}

/** The actor of an API request, for handlers outside the table of routes (the live stream). */
export async function apiActor(gate: Gate, c: Context<ApiEnv>): Promise<GateCtx> {
  const ctx = ctxOf(gate, c.env.caller);
  const headers = { authorization: c.req.header('authorization'), cookie: c.req.header('cookie') };
  const actor = await actorOfApiCall(ctx, headers, c.env.readCookies);
  if (actor.kind !== 'person') throw new Unauthenticated('Send an API token: Authorization: Bearer cs_…');
  return { ...ctx, actor };
}

async function answer(gate: Gate, route: ApiRoute, c: Context<ApiEnv>): Promise<Response> {
  let ctx = ctxOf(gate, c.env.caller);
  try {
    ctx = await apiActor(gate, c);
    if (ctx.actor.kind === 'person' && ctx.actor.via === 'session' && route.method !== 'get') {
      throw new DomainError('forbidden', 'Browser sessions may only read here. Programs send an API token.');
    }
    const body = route.body ? await readJson(c.req.raw) : { value: undefined, bytes: new Uint8Array(0) };
    const input = {
      params: parse(route.params, c.req.param()),
      query: parse(strict(route.query ?? noQuery), queryOf(c.req.raw, route.query)),
      body: parse(strict(route.body), body.value),
    };
    const status = route.status ?? 200;
    const run = async (inner: GateCtx) => ({
      status,
      text: toJson(route.response.parse(await route.handle(inner, input as never))),
    });
    const key = c.req.header('idempotency-key');
    const done =
      route.method === 'get' || key === undefined
        ? await run(ctx)
        : await withIdempotency(
            ctx,
            { key, operation: `${route.method} ${c.req.path}`, body: body.bytes },
            run,
          );
    return json(done.status, done.text, ctx.traceId);
  } catch (error) {
    return refuse(gate, ctx, route, error);
  }
}

async function refuse(gate: Gate, ctx: GateCtx, route: ApiRoute, error: unknown): Promise<Response> {
  if (!(error instanceof DomainError) && !(error instanceof InputError)) {
    gate.log.error({ err: error, traceId: ctx.traceId, operation: route.operationId }, 'API call failed');
    // Of what the database says only that it is in trouble is told; an answer that does not fit its schema is our fault.
    return problemResponse(problemOf(isDatabaseTrouble(error) ? error : new Error('internal'), ctx.traceId));
  }
  if (error instanceof DomainError) await recordRefusal(ctx, route.operationId, error);
  const problem = problemOf(error instanceof InputError ? error.zod : error, ctx.traceId);
  if (error instanceof UnsupportedBody) problem.status = 415;
  if (error instanceof BodyTooLarge) problem.status = 413;
  if (error instanceof AmbiguousCaller || error instanceof MalformedBody) problem.status = 400;
  return problemResponse(problem);
}

/** A schema refused what the caller sent, as opposed to what the server was about to answer. */
class InputError extends Error {
  readonly zod: z.ZodError;
  constructor(error: z.ZodError) {
    super('invalid input');
    this.zod = error;
  }
}

class UnsupportedBody extends DomainError {
  constructor() {
    super('invalid', 'Send the body as application/json.');
  }
}

class MalformedBody extends DomainError {}

async function readJson(request: Request): Promise<{ value: unknown; bytes: Uint8Array }> {
  const bytes = await readBody(request, maxBodyBytes);
  if (bytes.byteLength === 0) return { value: {}, bytes };
  if (
    mediaTypeOf(request.headers.get('content-type')) !== 'application/json' ||
    request.headers.has('content-encoding')
  )
    throw new UnsupportedBody();
  const parsed = parseStrictJson(bytes, { maxBytes: maxBodyBytes, maxDepth: 32 });
  if (!parsed.ok)
    throw new MalformedBody('invalid', `Not acceptable as JSON: ${describeStrictJsonReason(parsed.error)}.`);
  return { value: parsed.value, bytes };
}

function parse(schema: z.ZodType | undefined, value: unknown): unknown {
  if (!schema) return undefined;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new InputError(parsed.error);
  return parsed.data;
}

/** A member the operation does not know is a mistake worth telling, not one to swallow. */
function strict(schema: z.ZodType | undefined): z.ZodType | undefined {
  return schema instanceof z.ZodObject ? schema.strict() : schema;
}

/** Query parameters as an object; a repeated one is an array only where the schema wants one, otherwise a mistake. */
function queryOf(request: Request, schema: z.ZodType | undefined): Record<string, unknown> {
  const search = new URL(request.url).searchParams;
  const shape = schema instanceof z.ZodObject ? schema.shape : {};
  const query: Record<string, unknown> = Object.create(null);
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name);
    const wantsList = Object.hasOwn(shape, name) && isList(shape[name]);
    if (!wantsList && values.length > 1) {
      throw new Invalid(`${name} was given twice.`, { issues: [{ path: name, message: 'given twice' }] });
    }
    if (!values.every((value) => queryText.safeParse(value).success)) {
      throw new Invalid(`${name} must not contain U+0000.`, {
        issues: [{ path: name, message: 'must not contain U+0000 or half characters' }],
      });
    }
    query[name] = wantsList ? values : values[0];
  }
  return query;
}

function isList(schema: unknown): boolean {
  if (schema instanceof z.ZodArray) return true;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return isList(schema.unwrap());
  return false;
}

/** Dates become RFC 3339, `undefined` disappears: exactly what goes over the wire, and what is kept for a repeat. */
function toJson(value: unknown): string {
  return JSON.stringify(value ?? null);
}

function json(status: number, text: string, traceId: string): Response {
  return new Response(status === 204 ? null : text, {
    status,
    headers: { ...baseHeaders, 'content-type': 'application/json; charset=utf-8', 'x-request-id': traceId },
  });
}

export function problemResponse(problem: Problem): Response {
  const headers: Record<string, string> = {
    ...baseHeaders,
    'content-type': 'application/problem+json; charset=utf-8',
    'x-request-id': problem.requestId,
  };
  if (problem.status === 401) headers['www-authenticate'] = 'Bearer realm="countersign"';
  if (problem.status === 429 || problem.status === 503) {
    headers['retry-after'] = String(Math.ceil(Number(problem.retryAfterSeconds ?? 1)));
  }
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}
