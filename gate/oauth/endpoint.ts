import type { HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Caller, Gate } from '../context.ts';

/** Who asks, as the front door established it: address and request id. Handlers make their context from it. */
export type OAuthEnv = { Bindings: HttpBindings & { caller: Caller } };
export type OAuthApp = Hono<OAuthEnv>;
/** How an endpoint of the issuer host puts itself on it. */
export type Register = (app: OAuthApp, gate: Gate) => void;
