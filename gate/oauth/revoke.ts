import { revokeToken } from '#lib/credentials/revoke-token.ts';
import { readClientAuthentication, toClientAuthenticationError } from '#lib/oauth/client-authentication.ts';
import { parseTokenManagementRequest } from '#lib/oauth/token-request.ts';
import { ctxOf } from '../context.ts';
import { allowCrossOrigin, crossOriginHeaders, toErrorResponse } from './answer.ts';
import type { Register } from './endpoint.ts';
import { readForm, toOAuthError } from './token.ts';

/** The revocation endpoint (RFC 7009). A token this client does not hold is answered like one it did. */
export const registerRevoke: Register = (app, gate) => {
  allowCrossOrigin(app, '/revoke', 'POST');
  app.post('/revoke', async (c) => {
    const form = await readForm(c.req.raw);
    if (!form.ok) return toErrorResponse(form.error, crossOriginHeaders);
    const presented = readClientAuthentication(c.req.raw.headers.get('authorization'), form.value);
    if (!presented.ok)
      return toErrorResponse(toClientAuthenticationError(presented.error), crossOriginHeaders);
    const request = parseTokenManagementRequest(form.value);
    if (!request.ok) return toErrorResponse(request.error, crossOriginHeaders);
    const outcome = await revokeToken(ctxOf(gate, c.env.caller), presented.value, request.value.token);
    if (!outcome.ok) return toErrorResponse(toOAuthError(outcome.error), crossOriginHeaders);
    return new Response(null, {
      status: 200,
      headers: { ...crossOriginHeaders, 'cache-control': 'no-store' },
    });
  });
};
