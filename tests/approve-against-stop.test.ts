import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRequest, createRequestInput } from '#lib/approvals/create-request.ts';
import { revokeAgent, stopAgentInput, suspendAgent } from '#lib/revocation/stop-agent.ts';
import { approveSigned } from './approvals.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import {
  buildRequestsWorld,
  digestNow,
  fileRequest,
  purpose,
  type RequestsWorld,
  stateOf,
} from './requests-world.ts';

let database: TestDatabase;
let world: RequestsWorld;

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 4 });
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database.drop());

const approve = (requestId: string, snapshotDigest: string) =>
  approveSigned(world.as(world.ava), { requestId, snapshotDigest });

const stops = { revoke: revokeAgent, suspend: suspendAgent };

describe.each(['revoke', 'suspend'] as const)('an approval against a %s (T05)', (effect) => {
  test('the stop holds: whichever came first, nothing stays granted to a stopped agent', {
    timeout: 60_000,
  }, async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const first = await fileRequest(world, { tools: ['list_notes'] });
      await approve(first.id, await digestNow(world, first.id));
      const change = await createRequest(
        world.as(world.olive),
        createRequestInput.parse({
          kind: 'change',
          agentId: first.agentId,
          agentName: 'Notes keeper',
          purpose,
          lifetimeSeconds: 3600,
          tools: [{ serverId: world.serverId, name: 'write_note' }],
          submit: true,
        }),
      );
      const digest = await digestNow(world, change.id);
      const [approved, stopped] = await Promise.allSettled([
        approve(change.id, digest),
        stops[effect](
          world.as(world.abel),
          stopAgentInput.parse({ agentId: first.agentId, reason: 'Looks wrong', cause: 'administrative' }),
        ),
      ]);
      outcomes.add(`${approved.status}/${stopped.status}`);
      expect(stopped).toMatchObject({ status: 'fulfilled' });
      if (approved.status === 'rejected') expect(approved.reason).toMatchObject({ code: 'conflict' });
      const { agent } = await stateOf(world, change.id);
      expect(agent.state).toBe(effect === 'revoke' ? 'revoked' : 'suspended');
      expect(agent.epoch).toBe(2);
      const live = agent.bindings.filter((binding) => !binding.endedAt);
      if (effect === 'revoke') expect(live).toEqual([]);
      else expect(live).toHaveLength(1);
      const approvals = await database.db.prisma.auditEvent.count({
        where: { requestRef: change.id, kind: 'request.approve' },
      });
      expect(approvals).toBe(approved.status === 'fulfilled' ? 1 : 0);
    }
    expect(outcomes.size).toBeGreaterThan(0);
  });
});
