import { revokeToken } from '#lib/credentials/revoke-token.ts';
import { readClientAuthentication, toClientAuthenticationError } from '#lib/oauth/client-authentication.ts';
import { parseTokenManagementRequest } from '#lib/oauth/token-request.ts';
import { ctxOf, type Gate } from '../context.ts';
import { toErrorAnswer } from './answer.ts';
import type { MachineEndpoint } from './machine.ts';
import { formEndpoint, readForm, toOAuthError } from './token.ts';

const doneHeaders = { 'cache-control': 'no-store' };

/** The revocation endpoint (RFC 7009). A token this client does not hold is answered like one it did. */
export function revokeEndpoint(gate: Gate): MachineEndpoint {
  return formEndpoint('/revoke', async (asked) => {
    const form = readForm(asked);
    if (!form.ok) return toErrorAnswer(form.error);
    const presented = readClientAuthentication(asked.header('authorization'), form.value);
    if (!presented.ok) return toErrorAnswer(toClientAuthenticationError(presented.error));
    const request = parseTokenManagementRequest(form.value);
    if (!request.ok) return toErrorAnswer(request.error);
    const outcome = await revokeToken(ctxOf(gate, asked.caller), presented.value, request.value.token);
    if (!outcome.ok) return toErrorAnswer(toOAuthError(outcome.error));
    return { status: 200, headers: doneHeaders };
  });
}
