import type { GuardRequest, UpstreamResponse } from './exchange.ts';
import { isObject, type Message } from './json-rpc.ts';

/** First revision in which every request stands alone and headers repeat the body. */
export const modernVersion = '2026-07-28';
const metaVersion = 'io.modelcontextprotocol/protocolVersion';
const forwardedRequestHeaders = [
  'accept',
  'accept-language',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'traceparent',
  'tracestate',
  'user-agent',
];
const forwardedResponseHeaders = ['cache-control', 'content-type', 'mcp-session-id', 'retry-after'];

export const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'WWW-Authenticate, Mcp-Session-Id, Retry-After',
};
const allowedRequestHeaders =
  'Authorization, Content-Type, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID, DPoP';

/** The answer to a preflight; `Mcp-Param-…` headers are named by tools, so those asked about are allowed by name. */
export function preflightHeaders(asked: string | undefined): Record<string, string> {
  const parameters = (asked ?? '').split(',').map((name) => name.trim());
  const named = parameters.filter((name) => /^mcp-param-[a-z0-9-]{1,64}$/i.test(name)).slice(0, 32);
  return {
    ...corsHeaders,
    'access-control-allow-methods': 'POST, GET, DELETE, OPTIONS',
    'access-control-allow-headers': [allowedRequestHeaders, ...named].join(', '),
    'access-control-max-age': '600',
  };
}

/**
 * The headers the real server gets: a fixed list, so neither the caller's
 * credential nor cookies, forwarding headers or anything named after us gets
 * through, in whatever spelling.
 */
export function outgoingHeaders(
  given: GuardRequest['headers'],
  modern: boolean,
  method: 'POST' | 'GET',
): Record<string, string> {
  const outgoing: Record<string, string> = {};
  for (const name of forwardedRequestHeaders) {
    const value = given[name];
    if (value !== undefined) outgoing[name] = value;
  }
  // What one revision does not know, it does not get.
  if (modern) {
    for (const [name, value] of Object.entries(given))
      if (name.startsWith('mcp-param-') && value !== undefined) outgoing[name] = value;
    for (const name of ['mcp-session-id', 'last-event-id']) delete outgoing[name];
  } else {
    for (const name of ['mcp-method', 'mcp-name']) delete outgoing[name];
  }
  if (method === 'POST') outgoing['content-type'] = 'application/json';
  else delete outgoing['content-type'];
  return outgoing;
}

/** The headers the caller gets of the server's answer: again a fixed list, so no cookies and no challenges. */
export function passedHeaders(upstream: UpstreamResponse): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of forwardedResponseHeaders) {
    const value = upstream.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  return headers;
}

/** The body says which revision it is; a header alone makes a notification modern, which carries no envelope. */
export function isModern(
  message: Exclude<Message, { kind: 'response' }>,
  versionHeader: string | undefined,
): boolean {
  const meta = message.params?._meta;
  const claimed = isObject(meta) ? meta[metaVersion] : undefined;
  if (claimed !== undefined) return true;
  return (
    versionHeader !== undefined && versionHeader.trim() >= modernVersion && message.method !== 'initialize'
  );
}

const nameSources: Record<string, string> = Object.assign(Object.create(null), {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
});

/** MCP 2026-07-28, Streamable HTTP, standard headers: what differs from the body, as a sentence, or null. */
export function headerMismatch(message: Message, headers: GuardRequest['headers']): string | null {
  if (message.kind === 'response') return null;
  const meta = message.params?._meta;
  const claimed = isObject(meta) ? meta[metaVersion] : undefined;
  const version = headers['mcp-protocol-version']?.trim();
  const method = headers['mcp-method']?.trim();
  if (claimed !== undefined && version !== claimed)
    return 'MCP-Protocol-Version differs from the protocol version in the body.';
  if (message.kind === 'notification')
    return method !== undefined && method !== message.method ? 'Mcp-Method differs from the method.' : null;
  if (claimed === undefined) return 'The body names no protocol version, the header does.';
  if (method !== message.method) return 'Mcp-Method differs from the method.';
  const source = nameSources[message.method];
  if (source === undefined) return null;
  const value = message.params?.[source];
  const name = headers['mcp-name']?.trim();
  if (typeof value === 'string' && (name === undefined || decodedHeader(name) !== value))
    return `Mcp-Name differs from ${source}.`;
  return null;
}

/** `=?base64?…?=` for values a header cannot carry; null when it is not canonical base64 of UTF-8. */
function decodedHeader(value: string): string | null {
  const encoded = /^=\?base64\?(.*)\?=$/.exec(value)?.[1];
  if (encoded === undefined) return value;
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** RFC 9110 §12.5.1, as far as MCP needs it: the type is listed and not refused with `q=0`. */
export function accepts(accept: string | undefined, type: string): boolean {
  if (accept === undefined) return false;
  const group = `${type.split('/')[0]}/*`;
  return accept.split(',').some((part) => {
    const [range = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase());
    return [type, group, '*/*'].includes(range) && !parameters.some((each) => /^q=0(\.0*)?$/.test(each));
  });
}
