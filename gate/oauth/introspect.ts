import { noteAnonymousRefusal } from '#lib/audit/refusals.ts';
import { introspectToken } from '#lib/credentials/introspect-token.ts';
import { oauthError } from '#lib/oauth/oauth-error.ts';
import { MAX_TOKEN_REQUEST_BYTES, parseTokenManagementRequest } from '#lib/oauth/token-request.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { readServerCaller } from '../callers.ts';
import { ctxOf, type Gate } from '../context.ts';
import { toErrorAnswer } from './answer.ts';
import type { MachineEndpoint } from './machine.ts';
import { readForm } from './token.ts';

const answerHeaders = { 'content-type': 'application/json', 'cache-control': 'no-store', pragma: 'no-cache' };
const challenge = { 'www-authenticate': 'Bearer realm="introspection"' };

/**
 * The introspection endpoint (RFC 7662), for guards and MCP servers only: no cross-origin headers, and nobody learns
 * anything of a token without proving who they are (RFC 7662 §2.1).
 */
export function introspectEndpoint(gate: Gate): MachineEndpoint {
  return {
    path: '/introspect',
    crossOrigin: false,
    maxBodyBytes: MAX_TOKEN_REQUEST_BYTES,
    tooLarge: (message) => toErrorAnswer(oauthError('invalid_request', message, { status: 413 })),
    async answer(asked) {
      const ctx = ctxOf(gate, asked.caller);
      const { method, path, body } = asked;
      try {
        const authorization = asked.header('authorization');
        const caller = await readServerCaller(gate, { method, path, authorization }, body);
        const form = readForm(asked);
        if (!form.ok) return toErrorAnswer(form.error);
        const request = parseTokenManagementRequest(form.value);
        if (!request.ok) return toErrorAnswer(request.error);
        const answer = await introspectToken(ctx, caller, request.value.token);
        return { status: 200, headers: answerHeaders, body: JSON.stringify(answer) };
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        if (error.code === 'unauthenticated') {
          noteAnonymousRefusal(ctx, 'introspect', 'unknown caller');
          return toErrorAnswer(oauthError('invalid_token', error.message), challenge);
        }
        return toErrorAnswer(oauthError('temporarily_unavailable', error.message, { retryAfterSeconds: 2 }));
      }
    },
  };
}
