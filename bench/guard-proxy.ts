import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BenchRow, round } from './row.ts';

const rounds = 40;
const callsPerRound = 200;
const warmUpCalls = 2_000;
const guardPort = 4150;

/**
 * `guard-proxy`: what the guard adds to a `tools/call` over calling the server directly, and beside it what a bare
 * reverse proxy of node:http adds. One call at a time over kept connections, the three ways in turns, every part in a
 * process of its own. The guard verifies, decides and records each call.
 */
export async function run(): Promise<BenchRow[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'bench-guard-'));
  const children: ChildProcess[] = [];
  const part = async (options: object) => {
    const child = fork(path.join(import.meta.dirname, 'guard-proxy-part.ts'));
    children.push(child);
    child.send(options);
    return new Promise<Told>((resolve, reject) => {
      child.once('message', (told) => resolve(told as Told));
      child.once('exit', () => reject(new Error('a part of the measurement ended')));
    });
  };
  try {
    const upstreamUrl = `http://127.0.0.1:${(await part({ role: 'upstream' })).port}/mcp`;
    const bareUrl = `http://127.0.0.1:${(await part({ role: 'bare', target: upstreamUrl })).port}/mcp`;
    const guardUrl = `http://127.0.0.1:${guardPort}/mcp`;
    const { joinToken, token = '' } = await part({ role: 'gate', upstreamUrl, guardUrl });
    await part({ role: 'guard', stateDir: folder, joinToken });

    const ways = [upstreamUrl, bareUrl, guardUrl].map((url) => ({
      call: caller(url, token),
      times: [] as number[],
    }));
    for (const { call } of ways) for (let index = 0; index < warmUpCalls; index++) await call();
    for (let turn = 0; turn < rounds; turn++)
      for (const way of ways)
        for (let index = 0; index < callsPerRound; index++) way.times.push(await way.call());

    const [direct, bare, guarded] = ways.map(({ times }) => ({
      p50: percentile(times, 0.5),
      p99: percentile(times, 0.99),
    }));
    if (!direct || !bare || !guarded) throw new TypeError('nothing was measured');
    const conditions = `one call at a time, loopback, ${rounds * callsPerRound} calls each way, direct p50 ${round(direct.p50, 3)} ms p99 ${round(direct.p99, 3)} ms`;
    return (['p50', 'p99'] as const).map((which) => {
      const goalMs = which === 'p50' ? 1 : 3;
      const value = guarded[which] - direct[which];
      const peer = bare[which] - direct[which];
      return {
        row: 'guard-proxy',
        value: round(value, 3),
        unit: `ms added ${which}`,
        peer: round(peer, 3),
        ratio: round(value / peer),
        goal: `≤ ${goalMs} ms`,
        met: value <= goalMs,
        conditions,
      };
    });
  } finally {
    for (const child of children) if (child.connected) child.disconnect();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Told = { port?: number; joinToken?: string; token?: string };

/** Calls the tool once and returns the milliseconds it took; throws on anything but its result. */
function caller(url: string, token: string): () => Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'read_note', arguments: { name: 'plan' } },
  });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': String(Buffer.byteLength(body)),
  };
  return () =>
    new Promise((resolve, reject) => {
      const startedMs = performance.now();
      const request = http.request(url, { agent, method: 'POST', headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => {
          if (text.includes('a note')) resolve(performance.now() - startedMs);
          else reject(new Error(`not the tool's answer: ${response.statusCode} ${text.slice(0, 200)}`));
        });
      });
      request.on('error', reject);
      request.end(body);
    });
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
