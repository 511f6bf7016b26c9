import { readClientAuthentication, toClientAuthenticationError } from '#lib/oauth/client-authentication.ts';
import { pushAuthorization } from '#lib/registration/push-authorization.ts';
import { ctxOf, type Gate } from '../context.ts';
import { toErrorAnswer } from './answer.ts';
import type { MachineEndpoint } from './machine.ts';
import { formEndpoint, readForm } from './token.ts';

const pushedHeaders = { 'content-type': 'application/json', 'cache-control': 'no-cache, no-store' };

/** The pushed authorization request endpoint (RFC 9126 §2). */
export function pushEndpoint(gate: Gate): MachineEndpoint {
  return formEndpoint('/par', async (asked) => {
    const form = readForm(asked);
    if (!form.ok) return toErrorAnswer(form.error);
    const presented = readClientAuthentication(asked.header('authorization'), form.value);
    if (!presented.ok) return toErrorAnswer(toClientAuthenticationError(presented.error));
    const pushed = await pushAuthorization(ctxOf(gate, asked.caller), presented.value, form.value);
    if (!pushed.ok) return toErrorAnswer(pushed.error);
    const { requestUri, expiresInSeconds } = pushed.value;
    return {
      status: 201,
      headers: pushedHeaders,
      body: JSON.stringify({ request_uri: requestUri, expires_in: expiresInSeconds }),
    };
  });
}
