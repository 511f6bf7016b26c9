import { createServer, type IncomingMessage, type Server } from 'node:http';
import { z } from 'zod';
import { recordRefusal } from '#lib/audit/refusals.ts';
import { type Actor, anonymous } from '#lib/platform/actor.ts';
import { equalInConstantTime } from '#lib/platform/crypto.ts';
import { DomainError, NotFound } from '#lib/platform/errors.ts';
import { newId } from '#lib/platform/ids.ts';
import { ctxOf, type Gate, type GateCtx } from './context.ts';
import { problemOf } from './problem.ts';
import { type AnyVerb, verbs } from './verbs.ts';

const maxBodyBytes = 256 * 1024;

export type VerbSocketOptions = {
  /** Shared by gate and console for this start only. */
  startSecret: string;
  /** The actor of a session token, with roles read now; anonymous when there is none. */
  actorOfSession(ctx: GateCtx, sessionToken: string): Promise<Actor>;
};

/**
 * The private door the console's server actions come through: `POST /<verb name>` with `{ input, sessionToken }`.
 * The console holds no key and no right to write; whoever the session belongs to is established here again, and the
 * verb checks that person's rights. Listens on a unix socket only this user can open, or on loopback with the start's
 * secret where the platform has no unix sockets.
 */
export function createVerbServer(gate: Gate, options: VerbSocketOptions): Server {
  return createServer((request, response) => {
    const traceId = newId('trace');
    answer(gate, options, request, traceId)
      .then((output) => ({ status: 200, body: { output: output ?? null } as object }))
      .catch((error: unknown) => {
        if (!(error instanceof DomainError) && !(error instanceof z.ZodError))
          gate.log.error({ err: error, traceId, verb: request.url }, 'verb failed');
        const problem = problemOf(error, traceId);
        return { status: problem.status, body: { problem } as object };
      })
      .then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
        response.end(JSON.stringify(body));
      });
  });
}

async function answer(
  gate: Gate,
  options: VerbSocketOptions,
  request: IncomingMessage,
  traceId: string,
): Promise<unknown> {
  const secret = request.headers['x-countersign-start'];
  if (typeof secret !== 'string' || !equalInConstantTime(secret, options.startSecret)) throw new NotFound();
  const name = (request.url ?? '/').slice(1);
  const known: Record<string, AnyVerb> = verbs;
  const verb = Object.hasOwn(known, name) ? known[name] : undefined;
  if (request.method !== 'POST' || !verb) throw new NotFound('No such verb.');
  const body = JSON.parse(await readBody(request)) as {
    input?: unknown;
    sessionToken?: string | null;
    address?: string | null;
    userAgent?: string | null;
  };
  const caller = { address: body.address ?? null, userAgent: body.userAgent ?? null, traceId };
  const actor = body.sessionToken
    ? await options.actorOfSession(ctxOf(gate, caller), body.sessionToken)
    : anonymous;
  const ctx = ctxOf(gate, { ...caller, actor });
  try {
    return await verb.run(ctx, verb.input.parse(body.input) as never);
  } catch (error) {
    if (error instanceof DomainError) await recordRefusal(ctx, name, error);
    throw error;
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) throw new DomainError('invalid', 'The input is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
