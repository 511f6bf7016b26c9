import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import { GuardRefused, signClockReading, verifyAck, verifyReport } from '#guard/gate-side.ts';
import { guardPaths, parseNonceRequest, parsePositions, ShapeError } from '#guard/protocol.ts';
import { activeSigningKey } from '#lib/credentials/signing-keys.ts';
import { DomainError, Invalid, LimitExceeded } from '#lib/platform/errors.ts';
import { parseStrictJson } from '#lib/platform/strict-json.ts';
import { type EnrolledGuard, enrolGuard } from '#lib/revocation/guards.ts';
import { acceptAck, acceptReport } from '#lib/revocation/testimony.ts';
import { readBody } from '../body.ts';
import { askedOf, requireGuard } from '../callers.ts';
import { ctxOf, type Gate } from '../context.ts';
import type { OAuthApp, OAuthEnv } from '../oauth/endpoint.ts';
import { problemOf } from '../problem.ts';
import type { FeedHub } from './feed-hub.ts';

const maxEnrolBytes = 16 * 1024;
const maxTestimonyBytes = 2 * 1024 * 1024;

const statusOf: Record<GuardRefused['code'], 400 | 401 | 403> = {
  join_token_invalid: 403,
  join_token_used: 403,
  guard_unknown: 401,
  guard_revoked: 403,
  guard_auth_invalid: 401,
  clock_skew: 401,
  protocol_unsupported: 400,
  not_this_guards_server: 403,
};

/** The guards' side of the issuer host: enrolment, clock, feed, acknowledgements and reports. */
export function registerGuards(app: OAuthApp, gate: Gate, hub: FeedHub): void {
  app.post(guardPaths.enrol, (c) =>
    answer(c, async () => {
      const body = parsed(await readBody(c.req.raw, maxEnrolBytes));
      return c.json(await enrolGuard(ctxOf(gate, c.env.caller), body), 201);
    }),
  );

  app.post(guardPaths.nonce, (c) =>
    answer(c, async () => {
      const { guard, body } = await authenticated(c, maxEnrolBytes);
      const { nonce } = shaped(() => parseNonceRequest(parsed(body)));
      const clock = signClockReading(await activeSigningKey(ctxOf(gate), 'feed'), {
        iss: gate.site.issuer,
        guardId: guard.id,
        nonce,
        gateTimeMs: hub.nowMs(),
      });
      return c.json({ clock });
    }),
  );

  app.get(guardPaths.feed, (c) =>
    answer(c, async () => {
      const { guard } = await authenticated(c, 0);
      const { nonce, from } = positions(c);
      await hub.open(guard, nonce, from, c.env.outgoing as never);
      return RESPONSE_ALREADY_SENT;
    }),
  );

  app.get(guardPaths.sync, (c) =>
    answer(c, async () => {
      const { guard } = await authenticated(c, 0);
      const { nonce, from } = positions(c);
      return c.json({ messages: await hub.sync(guard, nonce, from) });
    }),
  );

  app.post(guardPaths.acks, (c) =>
    answer(c, async () => {
      const { guard, body } = await authenticated(c, maxTestimonyBytes);
      const ack = await verifyAck(member(parsed(body), 'ack'), {
        issuer: gate.site.issuer,
        guardId: guard.id,
        key: guard.signingKey,
      });
      await acceptAck(guardCtx(c, guard), guard, ack);
      return c.body(null, 204);
    }),
  );

  app.post(guardPaths.reports, (c) =>
    answer(c, async () => {
      const { guard, body } = await authenticated(c, maxTestimonyBytes);
      const report = await verifyReport(member(parsed(body), 'report'), {
        issuer: gate.site.issuer,
        guardId: guard.id,
        key: guard.signingKey,
      });
      return c.json(await acceptReport(guardCtx(c, guard), guard, report));
    }),
  );

  function guardCtx(c: Context<OAuthEnv>, guard: EnrolledGuard) {
    return ctxOf(gate, { ...c.env.caller, actor: { kind: 'guard', guardId: guard.id, name: guard.name } });
  }

  async function authenticated(
    c: Context<OAuthEnv>,
    maxBytes: number,
  ): Promise<{ guard: EnrolledGuard; body: Uint8Array }> {
    const body = maxBytes > 0 ? await readBody(c.req.raw, maxBytes) : new Uint8Array(0);
    return { guard: await requireGuard(gate, askedOf(c.req.raw), body), body };
  }

  async function answer(c: Context<OAuthEnv>, run: () => Promise<Response>): Promise<Response> {
    try {
      const response = await run();
      return response;
    } catch (error) {
      const traceId = c.env.caller.traceId ?? '';
      if (error instanceof GuardRefused) {
        const status = statusOf[error.code];
        return c.json(
          {
            type: `urn:countersign:problem:guard:${error.code}`,
            title: 'The guard was refused',
            status,
            detail: `${error.message[0]?.toUpperCase()}${error.message.slice(1)}.`,
            code: error.code,
            requestId: traceId,
          },
          status,
          { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
        );
      }
      if (!(error instanceof DomainError))
        gate.log.error({ err: error, traceId, path: c.req.path }, 'guard request failed');
      const problem = problemOf(error, traceId);
      return c.json(problem, problem.status as 400, {
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
        ...(error instanceof LimitExceeded ? { 'retry-after': '1' } : {}),
      });
    }
  }
}

function positions(c: Context<OAuthEnv>) {
  const nonce = c.req.query('nonce') ?? '';
  if (!/^[A-Za-z0-9_-]{16,64}$/.test(nonce))
    throw new Invalid('The nonce is missing or not base64url of 16 to 64 characters.');
  return { nonce, from: shaped(() => parsePositions(c.req.query('from') ?? '')) };
}

function parsed(body: Uint8Array): unknown {
  const result = parseStrictJson(body, { maxBytes: maxTestimonyBytes, maxDepth: 16 });
  if (!result.ok) throw new Invalid('The body is not strict JSON.');
  return result.value;
}

function member(body: unknown, name: string): string {
  const value = (body as Record<string, unknown> | null)?.[name];
  if (typeof value !== 'string') throw new Invalid(`The member ${name} is missing.`);
  return value;
}

function shaped<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof ShapeError) throw new Invalid(`Not understood: ${cause.message}.`);
    throw cause;
  }
}
