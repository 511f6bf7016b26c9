import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Infer, mapOf, object, whole } from './shape.ts';

const parseFloors = object({
  generation: whole(),
  issuerEpoch: whole(),
  heads: mapOf(whole()),
  epochs: mapOf(whole()),
  versions: mapOf(whole()),
});
type StoredFloors = Infer<typeof parseFloors>;

/**
 * The least a guard will accept after what it has already seen, kept across
 * restarts: a replayed feed or a restored backup cannot bring back what was
 * revoked. Written a moment after it changed.
 */
export class Floors {
  readonly #file: string;
  readonly #stored: StoredFloors;
  #timer: NodeJS.Timeout | null = null;

  constructor(stateDir: string) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.#file = path.join(stateDir, 'floors.json');
    this.#stored = this.#load();
  }

  get generation(): number {
    return this.#stored.generation;
  }

  get issuerEpoch(): number {
    return this.#stored.issuerEpoch;
  }

  head(serverId: string): number {
    return this.#stored.heads[serverId] ?? 0;
  }

  /** Tokens of this agent below this epoch are dead, whatever the gate says now. */
  epoch(agentId: string): number {
    return this.#stored.epochs[agentId] ?? 0;
  }

  /** Tokens of this binding below this version are dead. */
  version(bindingId: string): number {
    return this.#stored.versions[bindingId] ?? 0;
  }

  raiseHead(serverId: string, head: number): void {
    this.#raise(this.#stored.heads, serverId, head);
  }

  raiseEpoch(agentId: string, epoch: number): void {
    this.#raise(this.#stored.epochs, agentId, epoch);
  }

  raiseVersion(bindingId: string, version: number): void {
    this.#raise(this.#stored.versions, bindingId, version);
  }

  raiseIssuerEpoch(issuerEpoch: number): void {
    if (issuerEpoch <= this.#stored.issuerEpoch) return;
    this.#stored.issuerEpoch = issuerEpoch;
    this.#saveSoon();
  }

  /** An administrator acknowledged a restored backup: heads start again, epochs and versions do not. */
  beginGeneration(generation: number): void {
    if (generation <= this.#stored.generation) return;
    this.#stored.generation = generation;
    this.#stored.heads = Object.create(null);
    this.#saveSoon();
  }

  save(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#stored), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  #raise(floors: Record<string, number>, id: string, value: number): void {
    if (value <= (floors[id] ?? 0)) return;
    floors[id] = value;
    this.#saveSoon();
  }

  #saveSoon(): void {
    this.#timer ??= setTimeout(() => this.save(), 200).unref();
  }

  #load(): StoredFloors {
    try {
      return parseFloors(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      return {
        generation: 0,
        issuerEpoch: 0,
        heads: Object.create(null),
        epochs: Object.create(null),
        versions: Object.create(null),
      };
    }
  }
}
