import net from 'node:net';

/** A TCP proxy in front of a gate that can hold back, delay or drop what passes. For tests; close it. */
export class FaultProxy {
  /** Milliseconds every byte from the gate is held back, keeping the rhythm. */
  delayMs = 0;
  /** While true, connections stay open and nothing passes either way. */
  blackhole = false;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(targetPort: () => number) {
    this.#server = net.createServer((client) => {
      const upstream = net.connect(targetPort(), '127.0.0.1');
      for (const socket of [client, upstream]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          this.#sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
      }
      client.on('data', (chunk) => {
        if (!this.blackhole) upstream.write(chunk);
      });
      upstream.on('data', (chunk) => {
        if (this.blackhole) return;
        if (this.delayMs === 0) client.write(chunk);
        else setTimeout(() => client.write(chunk), this.delayMs);
      });
    });
  }

  static async start(targetPort: () => number): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
