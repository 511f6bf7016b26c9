import type { Reason } from './decide/index.ts';
import type { GuardResponse } from './exchange.ts';
import { errorBody, errorCodes, type RequestId, resultBody } from './json-rpc.ts';
import type { AgentFacts } from './protocol.ts';
import type { Slice } from './slice.ts';

/** Where denials carry their facts for programs, beside the text for models and people. */
export const denialMetaKey = 'countersign/denial';

const json = { 'content-type': 'application/json', 'cache-control': 'no-store' };

/** What a caller may do about a refusal: a page that begins a request for exactly this. */
export function requestUrl(consoleOrigin: string, agentId: string, serverId: string, tool?: string): string {
  const url = new URL('/requests/new', consoleOrigin);
  url.searchParams.set('agent', agentId);
  url.searchParams.set('server', serverId);
  if (tool !== undefined) url.searchParams.set('tool', tool);
  return url.href;
}

export type Denial = {
  evaluationId: string;
  agent: AgentFacts;
  slice: Slice;
  consoleOrigin: string;
  /** The tool as the caller named it. */
  tool: string;
  reasons: readonly Reason[];
  policies: readonly string[];
};

/**
 * A refused `tools/call` as a tool result (not an error status): clients show it
 * to the model, which can then tell its person what to ask for. Refusals by
 * status make clients register anew or open browsers.
 */
export function denialResult(denial: Denial, modern: boolean): object {
  const url = requestUrl(denial.consoleOrigin, denial.agent.id, denial.slice.serverId, denial.tool);
  const why = denial.reasons.map(({ text }) => text).join(' ');
  const remedy = denial.reasons.map(({ remedy }) => remedy).filter(Boolean);
  const text = [
    `Countersign refused the call of ${JSON.stringify(denial.tool)} on ${JSON.stringify(denial.slice.server.name)}.`,
    `Why: ${why}`,
    ...(remedy.length > 0 ? [`What to do: ${remedy.join(' ')}`] : []),
    `Where to ask: ${url}`,
    'Calling it again will not help until that has been decided.',
  ].join('\n');
  return {
    ...(modern ? { resultType: 'complete' } : {}),
    content: [{ type: 'text', text }],
    isError: true,
    _meta: {
      [denialMetaKey]: {
        evaluationId: denial.evaluationId,
        reasons: denial.reasons,
        policies: denial.policies,
        requestUrl: url,
      },
    },
  };
}

/** A tool result that says the call could not be made, for models that would otherwise guess. */
export function failedCallResult(text: string, modern: boolean): object {
  return { ...(modern ? { resultType: 'complete' } : {}), content: [{ type: 'text', text }], isError: true };
}

export function resultAnswer(id: RequestId, result: object): GuardResponse {
  return { status: 200, headers: { ...json }, body: resultBody(id, result) };
}

export function errorAnswer(
  status: number,
  id: RequestId | null,
  code: number,
  message: string,
  data?: unknown,
): GuardResponse {
  return { status, headers: { ...json }, body: errorBody(id, code, message, data) };
}

/**
 * No proof that nothing was revoked. Not a 401, which would send the client to
 * register again: it should simply come back.
 */
export function unavailableAnswer(id: RequestId | null): GuardResponse {
  const message =
    'Countersign cannot confirm at the moment that this agent is still approved, so nothing is let through. Try again in a few seconds.';
  const answer = errorAnswer(id === null ? 503 : 200, id, errorCodes.internalError, message);
  answer.headers['retry-after'] = '2';
  return answer;
}

/** RFC 6750 §3 with the metadata pointer of RFC 9728 §5.1: always one single challenge. */
export function challengeAnswer(
  metadataUrl: string,
  error?: { error: 'invalid_token' | 'invalid_request'; text: string },
): GuardResponse {
  const parameters = [
    ...(error ? [`error="${error.error}"`, `error_description="${quotable(error.text)}"`] : []),
    `resource_metadata="${metadataUrl}"`,
    'scope="mcp"',
  ];
  return {
    status: error?.error === 'invalid_request' ? 400 : 401,
    headers: { ...json, 'www-authenticate': `Bearer ${parameters.join(', ')}` },
    body: JSON.stringify({
      error: error?.error ?? 'unauthorized',
      error_description: error?.text ?? 'An access token is needed.',
    }),
  };
}

export function plainAnswer(
  status: number,
  text: string,
  headers: Record<string, string> = {},
): GuardResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: `${text}\n` };
}

function quotable(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, ' ');
}
