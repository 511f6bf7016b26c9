import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

/**
 * Where the exchange with PostgreSQL is cut: before the message of this number is passed on, in its middle, or before it
 * with the words on their way that a PostgreSQL says when it is ended.
 */
export type Cut = { message: number; where: 'before' | 'within' | 'with last words' };

/** What a backend says whose server has died: an ErrorResponse with SQLSTATE 57P01 (PostgreSQL protocol 3, §54.7). */
const lastWords = (() => {
  const fields = [
    'SFATAL',
    'VFATAL',
    'C57P01',
    'Mterminating connection due to unexpected postmaster exit',
    '',
  ];
  const body = Buffer.from(`${fields.join('\0')}\0`, 'latin1');
  const header = Buffer.alloc(5);
  header.write('E', 'latin1');
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
})();

/** What the feeds ask by themselves several times a second: no part of an exchange under test. */
const ownBusiness = /^feed /;

/**
 * Stands before a PostgreSQL that listens on a unix socket, reads its protocol message by message in both directions,
 * and cuts the connection that carries a given one. Counts from `arm` on, over all connections. For tests; close it.
 */
export class WireProxy {
  /** How many messages passed since it was armed. */
  passed = 0;
  /** What was cut, as `> B` or `< Z`: the direction and the type of the message. Null until it happened. */
  cutAt: string | null = null;
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), 'wire-'));
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #changes = new EventEmitter();
  #cut: Cut | null = null;
  #isSilent = false;
  /** What PostgreSQL said since `holdAnswers`, for each client. Null while answers pass. */
  #held: Map<net.Socket, Buffer[]> | null = null;

  private constructor(target: string) {
    this.#server = net.createServer((client) => this.#join(client, net.connect(target)));
  }

  /** Listens in a folder of its own before the PostgreSQL of this connection string. */
  static async start(url: string): Promise<{ proxy: WireProxy; url: string }> {
    const through = new URL(url);
    const socket = `.s.PGSQL.${through.port}`;
    const proxy = new WireProxy(path.join(through.searchParams.get('host') ?? '', socket));
    await new Promise<void>((resolve) => proxy.#server.listen(path.join(proxy.#folder, socket), resolve));
    through.searchParams.set('host', proxy.#folder);
    return { proxy, url: through.href };
  }

  arm(cut: Cut): void {
    this.passed = 0;
    this.cutAt = null;
    this.#cut = cut;
  }

  disarm(): void {
    this.#cut = null;
  }

  /** Passes nothing on any more and says nothing, as a host does that lost power, until `speakAgain`. */
  fallSilent(): void {
    this.#isSilent = true;
  }

  speakAgain(): void {
    this.#isSilent = false;
  }

  /** Keeps what PostgreSQL says until `passAnswers`. */
  holdAnswers(): void {
    this.#held = new Map();
  }

  /** Resolves when at least one message of this type is held. */
  async heldMessage(type: string): Promise<void> {
    const isHeld = () =>
      [...(this.#held?.values() ?? [])].flat().some((message) => message[0] === type.charCodeAt(0));
    while (!isHeld()) await new Promise((resolve) => this.#changes.once('held', resolve));
  }

  /** Passes all that was held in one piece, as a busy reader finds it who comes late. */
  passAnswers(): void {
    const held = this.#held;
    this.#held = null;
    for (const [client, messages] of held ?? []) client.write(Buffer.concat(messages));
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #join(client: net.Socket, upstream: net.Socket): void {
    const state = { ownBusiness: false };
    const end = () => {
      // Its last words are still to be passed on; who reads them ends by itself.
      if (!this.#held?.has(client)) client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    const pass = (to: net.Socket, direction: '>' | '<') => (message: Buffer, type: string) => {
      if (this.#isSilent) return true;
      if (direction === '>' && (type === 'P' || type === 'B'))
        state.ownBusiness = ownBusiness.test(statementOf(message, type));
      const isCut = !state.ownBusiness && this.#isCutHere();
      if (direction === '<' && type === 'Z') state.ownBusiness = false;
      if (!isCut) {
        if (direction === '<' && this.#held) this.#hold(to, message);
        else to.write(message);
        return true;
      }
      this.cutAt = `${direction} ${type}`;
      const { where } = this.#cut ?? {};
      this.#cut = null;
      if (where === 'with last words') {
        // Whoever reads them ends by itself.
        client.end(lastWords);
        upstream.destroy();
        return false;
      }
      if (where === 'within') to.end(message.subarray(0, message.length >> 1));
      end();
      return false;
    };
    client.on('data', splitter(pass(upstream, '>'), true));
    upstream.on('data', splitter(pass(client, '<'), false));
  }

  #hold(client: net.Socket, message: Buffer): void {
    this.#held?.set(client, [...(this.#held.get(client) ?? []), message]);
    this.#changes.emit('held');
  }

  #isCutHere(): boolean {
    if (!this.#cut) return false;
    this.passed++;
    return this.passed === this.#cut.message;
  }
}

/** The statement a Parse or Bind names: the first, or after the portal the second, of its strings. */
function statementOf(message: Buffer, type: string): string {
  const [first = '', second = ''] = message.subarray(5).toString('latin1').split('\0', 2);
  return type === 'P' ? first : second;
}

/** Calls `take` with each whole message; the first of a client has no type, only a length. */
function splitter(
  take: (message: Buffer, type: string) => boolean,
  beginsUntyped: boolean,
): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let untyped = beginsUntyped;
  let open = true;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (open) {
      const header = untyped ? 4 : 5;
      if (rest.length < header) return;
      const length = rest.readInt32BE(header - 4) + header - 4;
      if (rest.length < length) return;
      const type = untyped ? 'startup' : String.fromCharCode(rest[0] ?? 0);
      untyped = false;
      const message = rest.subarray(0, length);
      rest = rest.subarray(length);
      open = take(message, type);
    }
  };
}
