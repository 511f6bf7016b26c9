import { afterAll, beforeAll, expect, test } from 'vitest';
import { rejectRequest } from '#lib/approvals/reject-request.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { isDatabaseTrouble } from '#lib/platform/database-trouble.ts';
import { type Db, openDb } from '#lib/platform/db.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { createApprovedAgent } from '../../tests/credentials-world.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { buildRequestsWorld, fileRequest, type RequestsWorld } from '../../tests/requests-world.ts';
import { type Cut, WireProxy } from '../../tests/wire-proxy.ts';
import { revokeAgent } from './stop-agent.ts';

/**
 * The connection to PostgreSQL ends at a message of the exchange in which one click stops an agent, or a decision is
 * taken. Whatever ends it: it happened whole or not at all, what was acknowledged happened, and who asked is told that
 * the database does not answer, never that something is broken.
 */

let database: TestDatabase;
let proxy: WireProxy;
let db: Db;
let world: RequestsWorld;
beforeAll(async () => {
  database = await createTestDatabase();
  const through = await WireProxy.start(database.urls.gate);
  proxy = through.proxy;
  db = openDb(through.url, { prisma: 1, hot: 1, emergency: 1 });
  world = await buildRequestsWorld(database.db);
});
afterAll(async () => {
  await db?.close();
  await proxy?.close();
  await database?.drop();
});

type Act = {
  done: string;
  /** Makes what the act is about, past the proxy. */
  prepare(): Promise<string>;
  run(through: Db, id: string): Promise<unknown>;
  stateOf(id: string): Promise<string>;
  /** The kind of event history says it with. */
  kind: string;
};

const acts: Record<'revocation' | 'rejection', Act> = {
  revocation: {
    done: 'revoked',
    kind: 'agent.revoke',
    prepare: async () => (await createApprovedAgent(world.as(systemActor('test')))).agentId,
    run: (through, agentId) =>
      revokeAgent({ ...world.as(world.ava), db: through }, { agentId, cause: 'compromise', reason: '' }),
    stateOf: async (id) => (await database.db.prisma.agent.findUniqueOrThrow({ where: { id } })).state,
  },
  rejection: {
    done: 'rejected',
    kind: 'request.reject',
    prepare: async () => (await fileRequest(world)).id,
    run: (through, requestId) =>
      rejectRequest({ ...world.as(world.ava), db: through }, { requestId, reason: 'Not needed' }),
    stateOf: async (id) =>
      (await database.db.prisma.registrationRequest.findUniqueOrThrow({ where: { id } })).state,
  },
};

/** How many messages the exchange has on connections that are there. A cut one is made anew, which takes some more. */
async function countMessages({ prepare, run }: Act): Promise<number> {
  const id = await prepare();
  proxy.arm({ message: Number.POSITIVE_INFINITY, where: 'before' });
  await run(db, id);
  proxy.disarm();
  return proxy.passed;
}

test.each<[keyof typeof acts, Cut['where']]>([
  ['revocation', 'before'],
  ['revocation', 'with last words'],
  ['rejection', 'before'],
  ['rejection', 'with last words'],
])('a %s happens whole or not at all, cut %s any message', { timeout: 240_000 }, async (name, where) => {
  const { done, kind, prepare, run, stateOf } = acts[name];
  const seen = { acknowledged: 0, happened: 0, nothing: 0 };
  const count = await countMessages(acts[name]);
  // Here and there, and from before the commit on everywhere.
  for (let message = 1; ; message += message < count - 12 ? 12 : 1) {
    const id = await prepare();
    proxy.arm({ message, where });
    const outcome = await run(db, id).then(
      () => 'acknowledged',
      (error: unknown) => error,
    );
    proxy.disarm();
    const state = await stateOf(id);
    const events = await database.db.prisma.auditEvent.count({ where: { subjectId: id, kind } });
    const at = [message, proxy.cutAt];
    expect([...at, events]).toEqual([...at, state === done ? 1 : 0]);
    if (outcome === 'acknowledged') {
      expect([...at, state]).toEqual([...at, done]);
      seen.acknowledged++;
    } else {
      const isTold =
        isDatabaseTrouble(outcome) || (outcome instanceof DomainError && outcome.code === 'unavailable');
      expect([...at, isTold ? 'told to come back' : outcome]).toEqual([...at, 'told to come back']);
      if (state === done) seen.happened++;
      else {
        seen.nothing++;
        // Nothing is left behind that stands in the way of the next try.
        await run(database.db, id);
      }
    }
    if (proxy.cutAt === null) break;
  }
  // Cuts that all fell on the same side of the commit would prove nothing.
  expect(seen.nothing).toBeGreaterThan(20);
  expect(seen.happened + seen.acknowledged).toBeGreaterThan(2);
});
