/** JSON-RPC 2.0 as MCP uses it: one message a body, named parameters only. */

export type RequestId = string | number;
export type Params = Record<string, unknown>;
export type Message =
  | { kind: 'request'; id: RequestId; method: string; params: Params | undefined; body: string }
  | { kind: 'notification'; method: string; params: Params | undefined; body: string }
  | { kind: 'response'; body: string };

export const errorCodes = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** MCP 2026-07-28: headers and body disagree. */
  headerMismatch: -32020,
  unsupportedProtocolVersion: -32022,
  /** Ours, outside the range JSON-RPC reserves: this agent may not. */
  denied: 40300,
} as const;

/** The body is not a message; `code` is the JSON-RPC error to answer with. */
export class MessageFault extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const maxDepth = 64;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

/**
 * Reads one message. Refused with a `MessageFault`: bytes that are not UTF-8,
 * repeated member names, nesting beyond 64, numbers that could not be passed on
 * exactly, batches, and anything that is not a JSON-RPC message. `body` is the
 * message written anew: what is decided on here is what the server reads.
 */
export function readMessage(bytes: Uint8Array): Message {
  let source: string;
  try {
    source = decoder.decode(bytes);
  } catch {
    throw new MessageFault(errorCodes.parseError, 'The body is not UTF-8.');
  }
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw new MessageFault(errorCodes.parseError, 'The body is not JSON.');
  }
  requireUnambiguous(source);
  if (Array.isArray(value)) throw new MessageFault(errorCodes.invalidRequest, 'Batches are not accepted.');
  if (!isObject(value) || value.jsonrpc !== '2.0')
    throw new MessageFault(errorCodes.invalidRequest, 'The body is not a JSON-RPC 2.0 message.');
  const body = JSON.stringify(value);
  const { id, method, params } = value;
  if (method === undefined) {
    if (isRequestId(id) && ('result' in value || 'error' in value)) return { kind: 'response', body };
    throw new MessageFault(errorCodes.invalidRequest, 'The message has neither method nor result.');
  }
  if (typeof method !== 'string' || method.length > 128)
    throw new MessageFault(errorCodes.invalidRequest, 'The method is not a short text.');
  if (params !== undefined && !isObject(params))
    throw new MessageFault(errorCodes.invalidParams, 'Parameters must be an object.');
  if (!('id' in value)) {
    if (!method.startsWith('notifications/'))
      throw new MessageFault(errorCodes.invalidRequest, 'A request needs an id.');
    return { kind: 'notification', method, params, body };
  }
  if (!isRequestId(id)) throw new MessageFault(errorCodes.invalidRequest, 'The id must be text or a number.');
  if (method.startsWith('notifications/'))
    throw new MessageFault(errorCodes.invalidRequest, 'A notification has no id.');
  return { kind: 'request', id, method, params, body };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function errorBody(id: RequestId | null, code: number, message: string, data?: unknown): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    error: { code, message, ...(data === undefined ? {} : { data }) },
  });
}

export function resultBody(id: RequestId, result: object): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result });
}

function isRequestId(id: unknown): id is RequestId {
  return typeof id === 'string' || (typeof id === 'number' && Number.isSafeInteger(id));
}

/**
 * Goes through JSON that is known to be well formed and refuses what two parsers
 * could read differently. `JSON.parse` keeps the last of two equal names; others
 * keep the first.
 */
function requireUnambiguous(source: string): void {
  const names: (Set<string> | null)[] = [];
  let expectName = false;
  let at = 0;
  while (at < source.length) {
    const character = source.charCodeAt(at);
    switch (character) {
      case 0x7b: // {
        names.push(new Set());
        expectName = true;
        at++;
        break;
      case 0x5b: // [
        names.push(null);
        expectName = false;
        at++;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        names.pop();
        expectName = false;
        at++;
        break;
      case 0x2c: // ,
        expectName = names.at(-1) !== null && names.length > 0;
        at++;
        break;
      case 0x22: {
        const end = endOfString(source, at);
        if (expectName) {
          const raw = source.slice(at + 1, end);
          const name = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
          const seen = names.at(-1);
          if (seen?.has(name)) throw new MessageFault(errorCodes.parseError, 'A member name is repeated.');
          seen?.add(name);
          expectName = false;
        }
        at = end + 1;
        break;
      }
      default:
        if (character === 0x2d || (character >= 0x30 && character <= 0x39)) {
          let end = at + 1;
          while (end < source.length && isNumberCharacter(source.charCodeAt(end))) end++;
          requireExact(source.slice(at, end));
          at = end;
        } else at++;
    }
    if (names.length > maxDepth)
      throw new MessageFault(errorCodes.parseError, 'The body is nested too deeply.');
  }
}

function endOfString(source: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const character = source.charCodeAt(at);
    if (character === 0x5c) at++;
    else if (character === 0x22) return at;
  }
}

function isNumberCharacter(character: number): boolean {
  return (
    (character >= 0x30 && character <= 0x39) ||
    character === 0x2e ||
    character === 0x65 ||
    character === 0x45 ||
    character === 0x2b ||
    character === 0x2d
  );
}

/** Integers beyond 2^53 and numbers beyond a double would change by being written anew. */
function requireExact(number: string): void {
  if (number.length < 16 && !/[eE]/.test(number)) return;
  const value = Number(number);
  const whole = /^-?[0-9]+$/.test(number);
  if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value)))
    throw new MessageFault(errorCodes.parseError, 'A number is too large to be passed on exactly.');
}
