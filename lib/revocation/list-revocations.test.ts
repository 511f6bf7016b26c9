import { afterAll, beforeAll, expect, test } from 'vitest';
import { agentFilter, readAgentFacets } from '#lib/agents/agent-filter.ts';
import { listAgents, listAgentsQuery } from '#lib/agents/read-agents.ts';
import { readHome } from '#lib/agents/read-home.ts';
import { readLifeline } from '#lib/agents/read-lifeline.ts';
import { readServerUse } from '#lib/agents/read-server-use.ts';
import { approveSigned } from '../../tests/approvals.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  fileRequest,
  type RequestsWorld,
} from '../../tests/requests-world.ts';
import { readBlastRadius } from './blast-radius.ts';
import { listRevocations, listRevocationsQuery } from './list-revocations.ts';
import { readReceipt } from './receipt.ts';
import { stopAgentInput, suspendAgent } from './stop-agent.ts';

let database: TestDatabase;
let world: RequestsWorld;
let agentId: string;
let othersAgentId: string;
let revocationId: string;
const everything = listRevocationsQuery.parse({});

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 4 });
  world = await buildRequestsWorld(database.db);
  const filed = await fileRequest(world, { agentName: 'Notes keeper' });
  const others = await fileRequest(world, { owner: world.oscar, agentName: 'Ticket sorter' });
  agentId = filed.agentId;
  othersAgentId = others.agentId;
  await approveSigned(world.as(world.ava), {
    requestId: filed.id,
    snapshotDigest: await digestNow(world, filed.id),
  });
  const stop = await suspendAgent(
    world.as(world.abel),
    stopAgentInput.parse({ agentId, cause: 'compromise', reason: 'Seen from another network' }),
  );
  revocationId = stop.revocationId;
});
afterAll(() => database.drop());

test('a stop is listed with who pulled it, why, and for which agent', async () => {
  const { items } = await listRevocations(world.as(world.audrey), everything);
  expect(items).toEqual([
    expect.objectContaining({
      id: revocationId,
      effect: 'suspend',
      agent: { id: agentId, name: 'Notes keeper' },
      cause: 'compromise',
      reason: 'Seen from another network',
      actorName: world.abel.displayName,
    }),
  ]);
});

test("an owner is told nothing about stops, lifelines and reach of another owner's agent", async () => {
  const stranger = world.as(world.oscar);
  expect((await listRevocations(stranger, everything)).items).toEqual([]);
  await expect(readReceipt(stranger, revocationId)).rejects.toMatchObject({ code: 'not_found' });
  await expect(readLifeline(stranger, agentId)).rejects.toMatchObject({ code: 'not_found' });
  await expect(readBlastRadius(stranger, agentId)).rejects.toMatchObject({ code: 'not_found' });
  expect((await listRevocations(world.as(world.olive), everything)).items).toHaveLength(1);
});

test('the lifeline tells request, decision, binding and stop, newest first', async () => {
  const entries = await readLifeline(world.as(world.olive), agentId);
  const says = entries.map((entry) => entry.says);
  const order = ['An agent was suspended', 'Tools were bound to an agent', 'A request was submitted'];
  expect(says.filter((each) => order.includes(each))).toEqual(order);
  expect(entries.find((entry) => entry.says === 'An agent was suspended')).toMatchObject({
    lane: 'revocation',
    revocationId,
    actor: world.abel.displayName,
  });
});

test('agents are found by server, owner and end; an approval nobody used counts as ending', async () => {
  const ctx = world.as(world.audrey);
  const idsOf = async (filter: object) =>
    (await listAgents(ctx, listAgentsQuery.parse(filter))).items.map((agent) => agent.id);
  expect(await idsOf({ serverId: world.serverId })).toEqual([agentId]);
  expect(await idsOf({ ownerId: world.oscar.personId })).toEqual([othersAgentId]);
  expect(await idsOf({ ends: 'fortnight' })).toEqual([agentId]);
  expect(await idsOf({ ends: 'day' })).toEqual([]);
  expect(agentFilter({}, world.clock.now())).toEqual({ AND: [{}, {}, {}, {}, {}] });
});

test('facets count only what the person may see', async () => {
  expect((await readAgentFacets(world.as(world.audrey))).owners).toHaveLength(2);
  const own = await readAgentFacets(world.as(world.oscar));
  expect(own.owners).toEqual([expect.objectContaining({ value: world.oscar.personId, count: 1 })]);
  expect(own.servers).toEqual([]);
});

test('home counts by role: platform facts are not for owners', async () => {
  const forAuditor = await readHome(world.as(world.audrey));
  expect(forAuditor.agents).toMatchObject({ active: 0, suspended: 1 });
  expect(forAuditor.ending).toEqual([expect.objectContaining({ id: agentId, neverUsed: true })]);
  expect(forAuditor.platform).toMatchObject({ servers: 1, tools: 4 });
  const forOwner = await readHome(world.as(world.oscar));
  expect(forOwner.platform).toBeNull();
  expect(forOwner.ending).toEqual([]);
});

test("who uses a server: another owner's agents are a number only", async () => {
  const seen = await readServerUse(world.as(world.ava), world.serverId);
  expect(seen.agents).toEqual([expect.objectContaining({ id: agentId, owner: world.olive.displayName })]);
  const hidden = await readServerUse(world.as(world.oscar), world.serverId);
  expect(hidden).toMatchObject({ agents: [], hiddenAgents: 1 });
});
