import type { IncomingMessage, ServerResponse } from 'node:http';
import { isDatabaseTrouble } from '#lib/platform/database-trouble.ts';
import { BodyTooLarge, ClientGone, readIncomingBody } from '../body.ts';
import type { Caller, Gate } from '../context.ts';
import { crossOriginHeaders, type MachineAnswer } from './answer.ts';

/** A request to an endpoint that programs call thousands of times a second, as the HTTP server read it. */
export type MachineRequest = {
  method: string;
  /** Path and query as they were sent. */
  path: string;
  /** The value of a header, several joined by a comma (RFC 9110 §5.3); null when absent. Names in lower case. */
  header(name: string): string | null;
  body: Uint8Array;
  caller: Caller;
};

/**
 * One of the endpoints that carry the load: registration, token, revocation, introspection; and pushes, which are forms
 * like these. Answered on node:http itself: to dress each call as a web Request and its answer as a Response took a fifth of the gate's time there.
 */
export type MachineEndpoint = {
  path: string;
  /** Whether pages of any origin may call it and read every answer, errors nobody foresaw included. */
  crossOrigin: boolean;
  maxBodyBytes: number;
  answer(request: MachineRequest): Promise<MachineAnswer>;
  /** The 413, in the wire format of this endpoint. */
  tooLarge(message: string): MachineAnswer;
};

/** Reads, answers and sends; whatever goes wrong has an answer, and a client that left gets none. */
export async function serveMachine(
  gate: Gate,
  endpoint: MachineEndpoint,
  caller: Caller,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const send = (answer: MachineAnswer) => sendAnswer(outgoing, answer, endpoint.crossOrigin);
  try {
    const body = await readIncomingBody(incoming, endpoint.maxBodyBytes);
    const request: MachineRequest = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      header: (name) => headerOf(incoming, name),
      body,
      caller,
    };
    send(await endpoint.answer(request));
  } catch (error) {
    if (error instanceof ClientGone) return;
    // What was not read of the body is not waited for.
    if (error instanceof BodyTooLarge) {
      const answer = endpoint.tooLarge(error.message);
      send({ ...answer, headers: { ...answer.headers, connection: 'close' } });
    } else send(unforeseen(gate, error, caller, endpoint.path));
  }
}

/** The answer to an error nobody foresaw: `server_error` without its message (RFC 6749 §5.2 shape), or come back. */
export function unforeseen(gate: Gate, error: unknown, caller: Caller, path: string): MachineAnswer {
  gate.log.error({ err: error, traceId: caller.traceId, path }, 'request failed');
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  if (isDatabaseTrouble(error)) {
    return {
      status: 503,
      headers: { ...headers, 'retry-after': '2' },
      body: JSON.stringify({
        error: 'temporarily_unavailable',
        error_description:
          'The database does not answer, so it is not known whether this took effect. Try again.',
      }),
    };
  }
  return {
    status: 500,
    headers,
    body: JSON.stringify({
      error: 'server_error',
      error_description: `Something went wrong. Request id: ${caller.traceId}`,
    }),
  };
}

function sendAnswer(
  outgoing: ServerResponse,
  { status, headers, body = '' }: MachineAnswer,
  crossOrigin: boolean,
): void {
  const sent = { ...headers, 'content-length': Buffer.byteLength(body) };
  outgoing.writeHead(status, crossOrigin ? { ...crossOriginHeaders, ...sent } : sent);
  outgoing.end(body);
}

/** From the raw headers: Node keeps only the first of two Authorization headers, and the two must not pass as one. */
function headerOf(incoming: IncomingMessage, name: string): string | null {
  const { rawHeaders } = incoming;
  let found: string | null = null;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const key = rawHeaders[index] as string;
    if (key.length !== name.length || key.toLowerCase() !== name) continue;
    const value = rawHeaders[index + 1] as string;
    found = found === null ? value : `${found}, ${value}`;
  }
  return found;
}
