import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { startGuard } from '#guard/guard.ts';
import { reviewedTool, SmallGate } from '#guard/testing/small-gate.ts';

/**
 * The parts of `guard-proxy`, each in a process of its own: `upstream` answers calls at once, `bare` is a reverse proxy
 * in a few lines of node:http, `guard` is ours, `gate` feeds it. Told its options, each says what the next one needs.
 */
type Options =
  | { role: 'upstream' }
  | { role: 'bare'; target: string }
  | { role: 'gate'; upstreamUrl: string; guardUrl: string }
  | { role: 'guard'; stateDir: string; joinToken: string };

process.once('message', async (options: Options) => {
  if (options.role === 'guard') {
    const guard = await startGuard(options);
    await guard.ready();
    process.send?.({ ready: true });
    return;
  }
  if (options.role === 'gate') {
    const gate = await SmallGate.start();
    gate.addServer({
      server: { id: 'srv_bench', name: 'Bench', resource: options.guardUrl },
      tools: [reviewedTool({ name: 'read_note' })],
      upstream: { url: options.upstreamUrl },
    });
    const granted = await gate.grant('srv_bench', ['read_note']);
    process.send?.({
      joinToken: await gate.joinToken('srv_bench'),
      token: await gate.mint('srv_bench', granted),
    });
    return;
  }
  const server =
    options.role === 'upstream'
      ? http.createServer(answerCall)
      : http.createServer(bareProxy(options.target));
  server.keepAliveTimeout = 65_000;
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
});
process.on('disconnect', () => process.exit(0));

function answerCall(request: http.IncomingMessage, response: http.ServerResponse): void {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => {
    body += text;
  });
  request.on('end', () => {
    const { id } = JSON.parse(body) as { id: number };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: 'a note' }] } }),
    );
  });
}

function bareProxy(target: string): http.RequestListener {
  const agent = new http.Agent({ keepAlive: true });
  return (request, response) => {
    const outgoing = http.request(
      target,
      { agent, method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    outgoing.on('error', () => response.destroy());
    request.pipe(outgoing);
  };
}
