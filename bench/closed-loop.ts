import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';

export type Shot = { method: 'POST' | 'GET'; path: string; headers: Record<string, string>; body: string };
/** One side of a comparison: where it is, and the next request to send it. */
export type Target = { url: string; next(): Shot };

/** Latencies in milliseconds. */
export type Run = { perSecond: number; p50: number; p99: number };

const answerTimeoutMs = 10_000;

/**
 * Sends requests over `inFlight` connections that stay open, one at a time on each, for so many seconds. Throws at the
 * first answer that is not a success, with its text: a refusal is quicker than the work it refuses.
 *
 * It knows just enough HTTP/1.1 for this: whoever makes the load shares the cores with what is measured, and a general
 * client took from a fifth to a tenth of them.
 */
export async function closedLoop(target: Target, inFlight: number, seconds: number): Promise<Run> {
  const { hostname, port, host } = new URL(target.url);
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;
  const latencies: number[] = [];
  const sockets: Socket[] = [];

  function converse(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      sockets.push(socket);
      let received = '';
      let sentAt = 0;
      const send = () => {
        sentAt = performance.now();
        socket.write(requestText(target.next(), host));
      };
      const fail = (message: string) => reject(new Error(`${target.url}: ${message}`));
      socket.setEncoding('latin1');
      socket.setTimeout(answerTimeoutMs, () => fail(`no answer within ${answerTimeoutMs} ms`));
      socket.on('connect', () => {
        try {
          send();
        } catch (error) {
          reject(error);
        }
      });
      socket.on('error', (error) => fail(error.message));
      socket.on('close', () => fail('the connection was closed'));
      socket.on('data', (text: string) => {
        received += text;
        const status = statusWhenWhole(received);
        if (status === null) return;
        const now = performance.now();
        latencies.push(now - sentAt);
        if (status < 200 || status > 299) return fail(`refused: ${received.slice(0, 700)}`);
        received = '';
        if (now >= endAt) return resolve();
        try {
          send();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  try {
    await Promise.all(Array.from({ length: inFlight }, converse));
  } finally {
    for (const socket of sockets) socket.removeAllListeners('close').destroy();
  }
  const perSecond = (latencies.length / (performance.now() - startedAt)) * 1000;
  latencies.sort((a, b) => a - b);
  const at = (part: number) => latencies[Math.floor(latencies.length * part)] ?? Number.NaN;
  return { perSecond, p50: at(0.5), p99: at(0.99) };
}

function requestText(shot: Shot, host: string): string {
  let head = `${shot.method} ${shot.path} HTTP/1.1\r\n`;
  if (!('host' in shot.headers)) head += `host: ${host}\r\n`;
  for (const name in shot.headers) head += `${name}: ${shot.headers[name]}\r\n`;
  return `${head}content-length: ${Buffer.byteLength(shot.body)}\r\n\r\n${shot.body}`;
}

/** The status of an answer that has arrived in full (RFC 9112 §6.3), null while some of it is missing. */
function statusWhenWhole(text: string): number | null {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = text.slice(0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const isWhole =
    length === undefined
      ? !/\r\ntransfer-encoding: *chunked/i.test(head) || text.endsWith('\r\n0\r\n\r\n')
      : text.length >= end + 4 + Number(length);
  return isWhole ? Number(text.slice(9, 12)) : null;
}
