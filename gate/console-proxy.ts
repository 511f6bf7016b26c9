import { Agent, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';
import type { Logger } from 'pino';

export type ConsoleTarget = { host: string; port: number };

/** What the gate tells the console about the caller, beside the headers the browser sent. */
export type Introduction = {
  address: string | null;
  traceId: string;
  /** The signed-in person as read for this very request; null when nobody is. */
  viewer: object | null;
};

/**
 * Scripts and styles of the build, the same for everybody: a third of their size over the wire. Pages are never
 * compressed: how short they become would tell a stranger what stands in them beside what the stranger put there
 * (BREACH).
 */
function isCompressible(incoming: IncomingMessage, answer: IncomingMessage): boolean {
  return (
    incoming.method === 'GET' &&
    answer.statusCode === 200 &&
    (incoming.url ?? '').startsWith('/_next/static/') &&
    answer.headers['content-encoding'] === undefined &&
    /^(?:application\/javascript|text\/javascript|text\/css|application\/json|image\/svg\+xml)\b/.test(
      answer.headers['content-type'] ?? '',
    ) &&
    /(?:^|,)\s*gzip\s*(?:;\s*q=(?:1(?:\.0*)?|0\.\d*[1-9]\d*)\s*)?(?:,|$)/i.test(
      String(incoming.headers['accept-encoding'] ?? ''),
    )
  );
}

/** Connection-bound headers (RFC 9110 §7.6.1) never travel on. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What only the gate may say to the console, and what a framework could take for its own internal word. */
function isReserved(name: string): boolean {
  return (
    name.startsWith('x-countersign-') ||
    name.startsWith('x-forwarded-') ||
    name.startsWith('x-middleware-') ||
    name === 'forwarded' ||
    name === 'x-real-ip' ||
    name === 'x-nonce' ||
    name === 'content-security-policy'
  );
}

const maxBodyBytes = 1024 * 1024;
const answerTimeoutMs = 30_000;

/**
 * Forwards console pages to the Next child on its private port. Streams both ways; introduces the caller by headers
 * that the browser cannot set (they are stripped from what it sent) under the secret of this start, without which the
 * child answers nobody.
 */
export function createConsoleProxy(options: {
  target: ConsoleTarget;
  startSecret: string;
  consoleOrigin: string;
  log: Logger;
}) {
  const agent = new Agent({ keepAlive: true, maxSockets: 256, keepAliveMsecs: 30_000 });
  const origin = new URL(options.consoleOrigin);
  const isHttps = origin.protocol === 'https:';

  function forward(incoming: IncomingMessage, outgoing: ServerResponse, introduction: Introduction): void {
    const headers = requestHeaders(incoming);
    headers.host = origin.host;
    headers['x-forwarded-host'] = origin.host;
    headers['x-forwarded-proto'] = isHttps ? 'https' : 'http';
    headers['x-countersign-start'] = options.startSecret;
    headers['x-countersign-trace'] = introduction.traceId;
    headers['x-countersign-path'] = incoming.url ?? '/';
    if (introduction.address) headers['x-countersign-address'] = introduction.address;
    if (introduction.viewer) {
      headers['x-countersign-viewer'] = Buffer.from(JSON.stringify(introduction.viewer)).toString(
        'base64url',
      );
    }
    const upstream = httpRequest({
      agent,
      host: options.target.host,
      port: options.target.port,
      method: incoming.method,
      path: incoming.url,
      headers,
      setHost: false,
    });
    upstream.setTimeout(answerTimeoutMs, () =>
      upstream.destroy(new Error('the console did not answer in time')),
    );
    upstream.on('response', (answer) => {
      const answerHeaders = responseHeaders(answer, isHttps);
      if (isCompressible(incoming, answer)) {
        answerHeaders['content-encoding'] = 'gzip';
        answerHeaders.vary = 'Accept-Encoding';
        delete answerHeaders['content-length'];
        // The bytes differ from those the tag was made for (RFC 9110 §8.8.1).
        if (typeof answerHeaders.etag === 'string')
          answerHeaders.etag = answerHeaders.etag.replace(/^"/, 'W/"');
        outgoing.writeHead(200, answerHeaders);
        answer.pipe(createGzip()).pipe(outgoing);
      } else {
        outgoing.writeHead(answer.statusCode ?? 502, answerHeaders);
        answer.pipe(outgoing);
      }
      answer.on('error', () => outgoing.destroy());
    });
    upstream.on('error', (error) => {
      if (outgoing.headersSent || outgoing.destroyed) {
        outgoing.destroy();
        return;
      }
      options.log.warn({ err: error, traceId: introduction.traceId }, 'the console cannot be reached');
      answerUnavailable(outgoing, introduction.traceId);
    });
    outgoing.on('close', () => {
      if (!outgoing.writableFinished) upstream.destroy();
    });
    sendBody(incoming, upstream, outgoing);
  }

  return { forward, close: () => agent.destroy() };
}

/** Headers that bind a connection: the fixed ones and those its Connection header names. */
function isHopByHop(message: IncomingMessage): (name: string) => boolean {
  const named = new Set(
    String(message.headers.connection ?? '')
      .split(',')
      .map((name) => name.trim().toLowerCase()),
  );
  return (name) => hopByHop.has(name) || named.has(name);
}

function requestHeaders(incoming: IncomingMessage): Record<string, string | string[]> {
  const isBound = isHopByHop(incoming);
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined && !isBound(name) && !isReserved(name)) headers[name] = value;
  }
  return headers;
}

function responseHeaders(answer: IncomingMessage, isHttps: boolean): Record<string, string | string[]> {
  const isBound = isHopByHop(answer);
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && !isBound(name) && !name.startsWith('x-countersign-')) headers[name] = value;
  }
  // Whatever the console says nothing about was made for one person at one moment.
  headers['cache-control'] ??= 'no-store';
  if (isHttps) headers['strict-transport-security'] = 'max-age=31536000';
  return headers;
}

function sendBody(
  incoming: IncomingMessage,
  upstream: ReturnType<typeof httpRequest>,
  outgoing: ServerResponse,
): void {
  const hasBody =
    incoming.headers['transfer-encoding'] !== undefined ||
    Number(incoming.headers['content-length'] ?? 0) > 0;
  if (!hasBody) {
    upstream.end();
    return;
  }
  let size = Number(incoming.headers['content-length'] ?? 0);
  if (size > maxBodyBytes) {
    refuseTooLarge();
    return;
  }
  size = 0;
  incoming.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > maxBodyBytes) {
      refuseTooLarge();
      return;
    }
    if (!upstream.write(chunk)) {
      incoming.pause();
      upstream.once('drain', () => incoming.resume());
    }
  });
  incoming.on('end', () => upstream.end());
  incoming.on('aborted', () => upstream.destroy());

  function refuseTooLarge() {
    incoming.removeAllListeners('data');
    incoming.resume();
    if (!outgoing.headersSent) {
      outgoing.writeHead(413, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
      outgoing.end('The request is too large.');
    }
    upstream.destroy();
  }
}

/** Shown for the moment a restarted console needs to come back; reloads by itself. */
function answerUnavailable(outgoing: ServerResponse, traceId: string): void {
  outgoing.writeHead(503, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'retry-after': '2',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
  });
  outgoing.end(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width"><title>One moment · Countersign</title>
<style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui;max-width:32rem;margin:20vh auto;padding:0 1rem}</style></head>
<body><h1>One moment</h1><p>The console is starting. This page reloads by itself; nothing you did was lost at the guards,
which keep working meanwhile.</p><p>Request id: <code>${traceId}</code></p></body></html>`);
}
