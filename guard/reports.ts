import { type GateClient, GateRefused } from './gate-client.ts';
import { guardPaths, messageTypes, parseReportReceipt } from './protocol.ts';
import { type RecordFacts, type Spool, SpoolFull } from './spool.ts';

const reportEveryMs = 1_000;
/** Records of one report: few, since a call that comes while one is written and signed waits for that. */
const recordsOfReport = 20;
/** Above this many waiting records reports are long: to keep up is worth more than a millisecond. */
const hurryAbove = 2_000;
const recordsInHurry = 200;
const anonymousWindowMs = 60_000;
const maxAnonymousKinds = 1_000;

type Anonymous = { serverId: string; reason: string; count: number; sinceMs: number; sampleAddress?: string };

/** Writes what happened into the spool and brings it to the gate, in order, until the gate has it. */
export class Reporter {
  readonly #spool: Spool;
  readonly #gate: GateClient;
  readonly #nowMs: () => number;
  readonly #anonymous = new Map<string, Anonymous>();
  #timer: NodeJS.Timeout | null = null;
  #sending: Promise<void> | null = null;
  #waitMs = reportEveryMs;
  #wasFull = false;
  #unrecorded = 0;

  constructor(options: { spool: Spool; gate: GateClient; nowMs: () => number }) {
    this.#spool = options.spool;
    this.#gate = options.gate;
    this.#nowMs = options.nowMs;
  }

  start(): void {
    const again = () => {
      this.#timer = setTimeout(async () => {
        this.#closeAnonymousWindows(false);
        await this.send();
        if (this.#timer) again();
      }, this.#waitMs).unref();
    };
    again();
  }

  async stop(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#closeAnonymousWindows(true);
    await this.send();
    this.#spool.close();
  }

  /** A record nothing waits for. With a full spool it is counted, and the count reported when there is room. */
  record(facts: WithoutTime): void {
    try {
      this.#spool.append(this.#dated(facts));
      this.#noteRoom();
    } catch (cause) {
      if (!(cause instanceof SpoolFull)) throw cause;
      this.#unrecorded++;
      this.#wasFull = true;
    }
  }

  /** Returns when the record is on disk. Throws `SpoolFull`: then what it is about must not happen. */
  async recordDurably(facts: WithoutTime): Promise<void> {
    try {
      await this.#spool.appendDurably(this.#dated(facts));
      this.#noteRoom();
    } catch (cause) {
      if (cause instanceof SpoolFull) this.#wasFull = true;
      throw cause;
    }
  }

  /** Counts a refusal of nobody in particular. */
  countAnonymous(serverId: string, reason: string, address: string | null): void {
    const key = `${serverId} ${reason}`;
    const known = this.#anonymous.get(key);
    if (known) {
      known.count++;
      return;
    }
    if (this.#anonymous.size >= maxAnonymousKinds) return;
    this.#anonymous.set(key, {
      serverId,
      reason,
      count: 1,
      sinceMs: this.#nowMs(),
      ...(address ? { sampleAddress: address } : {}),
    });
  }

  /** Sends what is there. One report is under way at a time. */
  send(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null;
    });
    return this.#sending;
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#spool.backlog > 0) {
        const limit = this.#spool.backlog > hurryAbove ? recordsInHurry : recordsOfReport;
        const records = this.#spool.unaccepted(limit);
        if (records.length === 0) return;
        const report = this.#gate.sign(messageTypes.report, { records });
        const { acceptedThrough } = parseReportReceipt(await this.#gate.post(guardPaths.reports, { report }));
        this.#spool.accept(acceptedThrough);
        this.#waitMs = reportEveryMs;
        if (acceptedThrough < (records.at(-1)?.number ?? 0)) return;
      }
    } catch (cause) {
      // Kept on disk; a gate that refuses for good is asked ever more rarely.
      const longestMs = cause instanceof GateRefused ? 60_000 : 5_000;
      this.#waitMs = Math.min(this.#waitMs * 2, longestMs);
    }
  }

  #dated(facts: WithoutTime): RecordFacts {
    return { ...facts, atMs: this.#nowMs() } as RecordFacts;
  }

  #noteRoom(): void {
    if (!this.#wasFull) return;
    this.#wasFull = false;
    const detail = `${this.#unrecorded} records were not kept`;
    this.#unrecorded = 0;
    this.record({ kind: 'condition', condition: 'spool_free', detail });
  }

  #closeAnonymousWindows(all: boolean): void {
    for (const [key, { serverId, reason, count, sinceMs, sampleAddress }] of this.#anonymous) {
      if (!all && this.#nowMs() - sinceMs < anonymousWindowMs) continue;
      this.#anonymous.delete(key);
      this.record({
        kind: 'anonymous',
        serverId,
        reason,
        count,
        sinceMs,
        ...(sampleAddress ? { sampleAddress } : {}),
      });
    }
  }
}

export type WithoutTime = RecordFacts extends infer R
  ? R extends RecordFacts
    ? Omit<R, 'atMs'>
    : never
  : never;
