import type { Readable } from 'node:stream';

/** A request as it reached the guard, whatever brought it. */
export type GuardRequest = {
  method: string;
  /** Lower-case names; a repeated header that may not repeat was refused before. */
  headers: Readonly<Record<string, string | undefined>>;
  /** Query without `?`, as received. */
  query: string;
  /** The whole body; rejects with `BodyTooLarge`. */
  body(maxBytes: number): Promise<Uint8Array>;
  /** Aborted when the caller goes away. */
  signal: AbortSignal;
  address: string | null;
};

export type GuardResponse = {
  status: number;
  headers: Record<string, string>;
  body: string | Uint8Array | Readable | null;
};

export class BodyTooLarge extends Error {}

/** What the guard sends on: nothing of the caller's but what is named here. */
export type UpstreamRequest = {
  method: 'POST' | 'GET' | 'DELETE';
  headers: Record<string, string>;
  body: string | null;
  signal: AbortSignal;
};

export type UpstreamResponse = {
  status: number;
  headers: Readonly<Record<string, string | undefined>>;
  body: Readable;
};

/** The real server behind the guard. `send` rejects when it cannot be reached. */
export type UpstreamServer = {
  send(request: UpstreamRequest): Promise<UpstreamResponse>;
  close(): Promise<void>;
};
