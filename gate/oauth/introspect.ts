import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { introspectToken } from '#lib/credentials/introspect-token.ts';
import { oauthError } from '#lib/oauth/oauth-error.ts';
import {
  MAX_TOKEN_REQUEST_BYTES,
  parseTokenManagementRequest,
  readFormRequest,
} from '#lib/oauth/token-request.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { BodyTooLarge, readBody } from '../body.ts';
import { readServerCaller } from '../callers.ts';
import { ctxOf } from '../context.ts';
import { toErrorResponse } from './answer.ts';
import type { Register } from './endpoint.ts';

const answerHeaders = { 'content-type': 'application/json', 'cache-control': 'no-store', pragma: 'no-cache' };
const challenge = { 'www-authenticate': 'Bearer realm="introspection"' };

/**
 * The introspection endpoint (RFC 7662), for guards and MCP servers only: no cross-origin headers, and nobody learns
 * anything of a token without proving who they are (RFC 7662 §2.1).
 */
export const registerIntrospect: Register = (app, gate) => {
  app.post('/introspect', async (c) => {
    const ctx = ctxOf(gate, c.env.caller);
    const { raw } = c.req;
    try {
      const body = await readBody(raw, MAX_TOKEN_REQUEST_BYTES);
      const caller = await readServerCaller(gate, raw, body);
      const question = raw.url.indexOf('?');
      const form = readFormRequest({
        contentType: raw.headers.get('content-type'),
        query: question < 0 ? '' : raw.url.slice(question),
        body: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8'),
      });
      if (!form.ok) return toErrorResponse(form.error);
      const request = parseTokenManagementRequest(form.value);
      if (!request.ok) return toErrorResponse(request.error);
      const answer = await introspectToken(ctx, caller, request.value.token);
      return new Response(JSON.stringify(answer), { status: 200, headers: answerHeaders });
    } catch (error) {
      if (error instanceof BodyTooLarge) {
        return toErrorResponse(oauthError('invalid_request', error.message, { status: 413 }));
      }
      if (!(error instanceof DomainError)) throw error;
      if (error.code === 'unauthenticated') {
        noteAnonymousRefusal(ctx, 'introspect', 'unknown caller');
        return toErrorResponse(oauthError('invalid_token', error.message), challenge);
      }
      return toErrorResponse(oauthError('temporarily_unavailable', error.message, { retryAfterSeconds: 2 }));
    }
  });
};
