import { Agent, request } from 'node:http';

/**
 * Many readers of a server-sent stream in a process of their own, so that reading costs the measured side nothing.
 * Told `{ targets: [{ url, headers }] }`; says `{ connected }` once all read, and for each broadcast (the same bytes to
 * every reader) `{ text, lastAtMs }` when the last reader has it. Times are of the system's wall clock with fractions.
 */
type Target = { url: string; headers: Record<string, string> };

/** How many readers have a message. Heartbeats differ from guard to guard and are forgotten after two broadcasts. */
let counts = new Map<string, number>();
let countsBefore = new Map<string, number>();
const nowMs = () => performance.timeOrigin + performance.now();

process.once('message', ({ targets }: { targets: Target[] }) => {
  let connected = 0;
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  for (const target of targets) {
    const outgoing = request(target.url, { headers: target.headers, agent }, (answer) => {
      if (answer.statusCode !== 200) throw new Error(`a reader was answered ${answer.statusCode}`);
      connected += 1;
      if (connected === targets.length) process.send?.({ connected });
      answer.setEncoding('utf8');
      let rest = '';
      answer.on('data', (chunk: string) => {
        const messages = (rest + chunk).split('\n\n');
        rest = messages.pop() ?? '';
        for (const text of messages) {
          const count = (counts.get(text) ?? countsBefore.get(text) ?? 0) + 1;
          counts.set(text, count);
          if (count === targets.length) {
            // The next broadcast may have reached some of them already.
            countsBefore = counts;
            counts = new Map();
            process.send?.({ text, lastAtMs: nowMs() });
          }
        }
      });
    });
    outgoing.on('error', (error) => {
      if (process.connected) throw error;
    });
    outgoing.end();
  }
});
process.on('disconnect', () => process.exit(0));
