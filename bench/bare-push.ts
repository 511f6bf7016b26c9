import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

/** The limit `push` is held against: LISTEN, and the payload written to every open stream, nothing else. */
const readers = new Set<ServerResponse>();
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  readers.add(response);
  response.on('close', () => readers.delete(response));
});
const listener = new pg.Client({ connectionString: process.env.PUSH_DATABASE_URL });
await listener.connect();
await listener.query('LISTEN bare_push');
listener.on('notification', ({ payload }) => {
  const frame = `data: ${payload}\n\n`;
  for (const reader of readers) reader.write(frame);
});
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
