import 'server-only';
import { request } from 'node:http';
import type { VerbInput, VerbName, VerbOutput } from '#gate/verbs.ts';
import { readConsoleEnvironment } from '#lib/platform/console-environment.ts';
import { DomainError, type DomainErrorCode } from '#lib/platform/errors.ts';

type Caller = { sessionToken: string | null; address: string | null; userAgent: string | null };

/**
 * Calls one verb in the gate as the person of this session. The console itself can write nothing: the gate reads
 * the session, the roles and the state again before it acts. Throws the verb's own domain error, with `requestId`
 * in its detail.
 */
export async function callVerb<Name extends VerbName>(
  name: Name,
  input: VerbInput<Name>,
  caller: Caller,
): Promise<VerbOutput<Name>> {
  const { status, body } = await post(name, JSON.stringify({ input, ...caller }));
  if (status === 200) return body.output as VerbOutput<Name>;
  const { detail = 'The gate does not answer.', type = '', ...rest } = body.problem ?? {};
  const code = type.replace('urn:countersign:problem:', '');
  if (code === 'internal' || !code) throw new GateFailure(String(detail), String(rest.requestId ?? ''));
  throw new DomainError(code as DomainErrorCode, detail, rest);
}

/** The gate failed or cannot be reached: shown as a failed state with its request id, never as a form error. */
export class GateFailure extends Error {
  readonly requestId: string;
  constructor(message: string, requestId: string) {
    super(message);
    this.name = 'GateFailure';
    this.requestId = requestId;
  }
}

type Answer = {
  status: number;
  body: { output?: unknown; problem?: { type?: string; detail?: string; [key: string]: unknown } };
};

/** `COUNTERSIGN_GATE_SOCKET` is a socket path or a loopback URL, given with the start's secret by the parent process. */
function post(name: string, payload: string): Promise<Answer> {
  const target = readConsoleEnvironment().gate;
  const where = target.startsWith('http')
    ? { host: new URL(target).hostname, port: new URL(target).port }
    : { socketPath: target };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        ...where,
        method: 'POST',
        path: `/${name}`,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
          'x-countersign-start': readConsoleEnvironment().startSecret,
        },
        timeout: 15_000,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          try {
            resolve({
              status: response.statusCode ?? 500,
              body: JSON.parse(Buffer.concat(chunks).toString('utf8')),
            });
          } catch (error) {
            reject(error as Error);
          }
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error('the gate did not answer in 15 s')));
    outgoing.on('error', (error) =>
      reject(new GateFailure(`The gate cannot be reached: ${error.message}`, '')),
    );
    outgoing.end(payload);
  });
}
