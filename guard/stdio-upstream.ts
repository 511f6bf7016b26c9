import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import type { UpstreamRequest, UpstreamResponse, UpstreamServer } from './exchange.ts';
import { errorBody, errorCodes, isObject, type RequestId } from './json-rpc.ts';
import { modernVersion } from './mcp-headers.ts';
import { formatEvent } from './sse.ts';

export type StdioCommand = {
  command: string;
  args?: readonly string[];
  /** All it gets beside PATH, HOME and the locale: a guard's own secrets are not for its servers. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
};

const maxSessions = 64;
const idleMs = 30 * 60_000;
const maxQueuedMessages = 256;
const maxLineBytes = 16 * 1024 * 1024;
const legacyVersions = ['2025-11-25', '2025-06-18', '2025-03-26'];

/** A request that waits for its answer, which comes as JSON or, once anything precedes it, as a stream. */
type Waiting = {
  progressToken: unknown;
  resolve(response: UpstreamResponse): void;
  stream: PassThrough | null;
};

/**
 * Hosts a stdio server behind Streamable HTTP (revisions up to 2025-11-25): one
 * process per session, so that no caller shares one with another. Its standard
 * error goes to `log` line by line.
 */
export function stdioUpstream(command: StdioCommand, log: (line: string) => void = () => {}): UpstreamServer {
  const sessions = new Map<string, StdioSession>();

  const send = async (request: UpstreamRequest): Promise<UpstreamResponse> => {
    if ((request.headers['mcp-protocol-version'] ?? '') >= modernVersion) return unsupportedVersion(request);
    const sessionId = request.headers['mcp-session-id'];
    const session = sessionId === undefined ? null : sessions.get(sessionId);
    if (request.method === 'DELETE') {
      session?.end();
      return plain(session ? 200 : 404, '');
    }
    if (session === undefined) return plain(404, 'Session not found');
    if (request.method === 'GET') return session?.listen() ?? plain(400, 'No session');
    const message: unknown = JSON.parse(request.body ?? 'null');
    if (!isObject(message)) return plain(400, 'Not a message');
    if (session) return session.take(message);
    if (message.method !== 'initialize') return plain(400, 'No session');
    if (sessions.size >= maxSessions) oldestIdle(sessions)?.end();
    if (sessions.size >= maxSessions) return plain(503, 'Too many sessions');
    const id = randomUUID();
    const begun = new StdioSession(command, log, () => sessions.delete(id));
    sessions.set(id, begun);
    const answer = await begun.take(message);
    return { ...answer, headers: { ...answer.headers, 'mcp-session-id': id } };
  };
  const sweep = setInterval(() => {
    for (const session of sessions.values()) if (session.idleForMs() > idleMs) session.end();
  }, 60_000).unref();

  return {
    send,
    close: async () => {
      clearInterval(sweep);
      await Promise.all([...sessions.values()].map((session) => session.end()));
    },
  };
}

class StdioSession {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<string, Waiting>();
  readonly #exited: Promise<void>;
  /** What the server says of its own accord while nobody listens. */
  #queued: string[] = [];
  #listener: PassThrough | null = null;
  #usedAtMs = performance.now();
  #ended = false;
  #line: Buffer[] = [];
  #lineBytes = 0;

  constructor(command: StdioCommand, log: (line: string) => void, onEnd: () => void) {
    this.#child = spawn(command.command, [...(command.args ?? [])], {
      ...(command.cwd ? { cwd: command.cwd } : {}),
      env: childEnvironment(command),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#read(chunk));
    let rest = '';
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = (lines.pop() ?? '').slice(-4096);
      for (const line of lines) log(line.slice(0, 4096));
    });
    // Writing to a process that is gone is told by its exit.
    this.#child.stdin?.on('error', () => {});
    this.#exited = new Promise((resolve) => {
      const onExit = () => {
        this.#ended = true;
        onEnd();
        this.#failAll();
        resolve();
      };
      this.#child.on('exit', onExit);
      this.#child.on('error', onExit);
    });
  }

  idleForMs(): number {
    return this.#waiting.size > 0 || this.#listener ? 0 : performance.now() - this.#usedAtMs;
  }

  take(message: Record<string, unknown>): Promise<UpstreamResponse> | UpstreamResponse {
    this.#usedAtMs = performance.now();
    if (this.#ended) return plain(404, 'Session not found');
    const { id, method, params } = message;
    const isRequest = typeof method === 'string' && (typeof id === 'string' || typeof id === 'number');
    if (!isRequest) {
      this.#write(message);
      return { status: 202, headers: {}, body: Readable.from([]) };
    }
    const key = keyOf(id);
    if (this.#waiting.has(key)) return plain(400, 'The request id is in use');
    const meta = isObject(params) ? params._meta : undefined;
    const progressToken = isObject(meta) ? meta.progressToken : undefined;
    return new Promise((resolve) => {
      this.#waiting.set(key, { progressToken, resolve, stream: null });
      this.#write(message);
    });
  }

  listen(): UpstreamResponse {
    this.#usedAtMs = performance.now();
    if (this.#listener) return plain(409, 'This session is listened to already');
    const listener = new PassThrough();
    this.#listener = listener;
    listener.on('close', () => {
      if (this.#listener === listener) this.#listener = null;
    });
    for (const line of this.#queued.splice(0)) listener.write(asEvent(line));
    return eventStream(listener);
  }

  /** Ends the process: input closed, then SIGTERM, then SIGKILL. */
  async end(): Promise<void> {
    if (this.#ended) return this.#exited;
    this.#ended = true;
    this.#child.stdin?.end();
    const soft = setTimeout(() => this.#child.kill('SIGTERM'), 200);
    const hard = setTimeout(() => this.#child.kill('SIGKILL'), 2_000);
    await this.#exited;
    clearTimeout(soft);
    clearTimeout(hard);
  }

  #write(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  #read(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#line.push(chunk.subarray(start, end));
      this.#deliver(Buffer.concat(this.#line).toString('utf8').trim());
      this.#line = [];
      this.#lineBytes = 0;
      start = end + 1;
    }
    const rest = chunk.subarray(start);
    this.#line.push(rest);
    this.#lineBytes += rest.length;
    if (this.#lineBytes > maxLineBytes) void this.end();
  }

  #deliver(line: string): void {
    if (line === '') return;
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      return;
    }
    if (!isObject(message)) return;
    const { id, method, params } = message;
    if (method === undefined && (typeof id === 'string' || typeof id === 'number')) {
      const waiting = this.#waiting.get(keyOf(id));
      if (!waiting) return;
      this.#waiting.delete(keyOf(id));
      if (waiting.stream) waiting.stream.end(asEvent(line));
      else
        waiting.resolve({
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: Readable.from([Buffer.from(line)]),
        });
      return;
    }
    if (method === 'notifications/progress' && isObject(params)) {
      for (const waiting of this.#waiting.values()) {
        if (waiting.progressToken === undefined || waiting.progressToken !== params.progressToken) continue;
        this.#streamOf(waiting).write(asEvent(line));
        return;
      }
    }
    if (this.#listener) this.#listener.write(asEvent(line));
    else if (this.#queued.length < maxQueuedMessages) this.#queued.push(line);
  }

  #streamOf(waiting: Waiting): PassThrough {
    if (waiting.stream) return waiting.stream;
    waiting.stream = new PassThrough();
    waiting.resolve(eventStream(waiting.stream));
    return waiting.stream;
  }

  #failAll(): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting.stream) waiting.stream.destroy();
      else waiting.resolve(plain(502, 'The server ended'));
    }
    this.#waiting.clear();
    this.#listener?.end();
  }
}

function childEnvironment({ env }: StdioCommand): NodeJS.ProcessEnv {
  const { PATH, HOME, LANG } = process.env;
  const given: Record<string, string | undefined> = { PATH, HOME, LANG, ...env };
  return given as NodeJS.ProcessEnv;
}

function unsupportedVersion(request: UpstreamRequest): UpstreamResponse {
  const message: unknown = JSON.parse(request.body ?? 'null');
  const id =
    isObject(message) && (typeof message.id === 'string' || typeof message.id === 'number')
      ? message.id
      : null;
  const data = { supported: legacyVersions, requested: request.headers['mcp-protocol-version'] };
  const text = errorBody(id, errorCodes.unsupportedProtocolVersion, 'Unsupported protocol version', data);
  return {
    status: 400,
    headers: { 'content-type': 'application/json' },
    body: Readable.from([Buffer.from(text)]),
  };
}

function oldestIdle(sessions: ReadonlyMap<string, StdioSession>): StdioSession | undefined {
  return [...sessions.values()]
    .filter((session) => session.idleForMs() > 0)
    .sort((a, b) => b.idleForMs() - a.idleForMs())[0];
}

function keyOf(id: RequestId): string {
  return `${typeof id}:${id}`;
}

function asEvent(line: string): Buffer {
  return Buffer.from(formatEvent({ event: 'message', id: undefined, data: line }));
}

function eventStream(body: Readable): UpstreamResponse {
  return { status: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }, body };
}

function plain(status: number, text: string): UpstreamResponse {
  return {
    status,
    headers: { 'content-type': 'text/plain' },
    body: Readable.from(text === '' ? [] : [Buffer.from(text)]),
  };
}
