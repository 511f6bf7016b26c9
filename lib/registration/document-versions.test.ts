import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { systemClock } from '#lib/platform/clock.ts';
import {
  approve,
  type ClaimWorld,
  claim,
  createClaimWorld,
  openInBrowser,
  signIn,
} from '#tests/claim-world.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { addPerson } from '#tests/people.ts';
import { ctxOf } from '../../gate/context.ts';
import { checkMetadataDocuments } from './document-versions.ts';

const origin = 'http://127.0.0.1:27061';
const redirect = 'http://localhost/callback';
/** What the vendor's host says at a path now; null when it does not answer for it. */
const published = new Map<string, object | null>();
const asked: string[] = [];
let host: Server;
let gate: TestGate;
let world: ClaimWorld;

beforeAll(async () => {
  host = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '';
    asked.push(path);
    const document = published.get(path);
    outgoing.writeHead(document ? 200 : 503, { 'content-type': 'application/json' });
    outgoing.end(document ? JSON.stringify(document) : '{}');
  });
  await new Promise<void>((resolve) => host.listen(27061, '127.0.0.1', resolve));
  gate = await startTestGate(27060, { COUNTERSIGN_ALLOW_LOOPBACK_METADATA: 'true' });
  world = await createClaimWorld(gate);
});
afterAll(async () => {
  await gate?.close();
  await new Promise<void>((resolve) => host.close(() => resolve()));
});
beforeEach(() => {
  asked.length = 0;
});

const job = () => ctxOf(gate.running.gate, { actor: systemActor('job check-documents') });
const prisma = () => gate.database.db.prisma;

function publish(path: string, changes: object = {}): void {
  published.set(path, {
    client_id: `${origin}${path}`,
    client_name: 'Vendor',
    redirect_uris: [redirect],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    ...changes,
  });
}

function open(path: string): Promise<string> {
  const { path: url } = signIn(`${origin}${path}`, world.server.resource, {
    redirect_uri: 'http://localhost:50123/callback',
  });
  return openInBrowser(gate, url);
}

/** A client by its document, approved for olive. */
async function approved(path: string): Promise<string> {
  publish(path);
  await approve(world, await claim(world, world.olive, await open(path)));
  return `${origin}${path}`;
}

const stateOf = async (clientId: string) =>
  (await prisma().instance.findFirstOrThrow({ where: { clientId } })).state;
const changesOf = (clientId: string) =>
  prisma().auditEvent.findMany({ where: { kind: 'client.metadata_change', subjectId: clientId } });

describe('checking the documents approvals rest on', () => {
  test('is the installation’s own work', async () => {
    await expect(checkMetadataDocuments(world.as(world.ava))).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('suspends who was approved on another redirect, without anybody signing in (T75)', async () => {
    const clientId = await approved('/moved.json');
    expect(await checkMetadataDocuments(job())).toMatchObject({ changed: 0 });
    publish('/moved.json', { redirect_uris: [redirect, 'https://evil.example/callback'] });
    expect(await checkMetadataDocuments(job())).toMatchObject({ changed: 1 });
    expect(asked.filter((path) => path === '/moved.json').length).toBeGreaterThanOrEqual(2);
    expect(await stateOf(clientId)).toBe('suspended');
    const [change] = await changesOf(clientId);
    expect(change).toMatchObject({ reason: 'needs review', actorId: 'metadata watch' });
    const told = await prisma().notification.count({
      where: { personId: world.olive.personId, kind: 'client.metadata_change' },
    });
    expect(told).toBe(1);
  });

  test('notes a change nobody decided on, and suspends nobody for it', async () => {
    const clientId = await approved('/cosmetic.json');
    publish('/cosmetic.json', { logo_uri: 'https://vendor.example/new.png' });
    await checkMetadataDocuments(job());
    expect((await changesOf(clientId)).map(({ reason }) => reason)).toEqual(['cosmetic']);
    expect(await stateOf(clientId)).toBe('active');
  });

  test('suspends nobody for a host that is down, and sees what changed once it is back', async () => {
    const clientId = await approved('/down.json');
    published.set('/down.json', null);
    await checkMetadataDocuments(job());
    expect(asked).toContain('/down.json');
    expect([await stateOf(clientId), await changesOf(clientId)]).toEqual(['active', []]);
    publish('/down.json', { redirect_uris: ['https://evil.example/callback'] });
    await checkMetadataDocuments(job());
    expect(await stateOf(clientId)).toBe('suspended');
  });

  test('by two workers at once notes one change once', async () => {
    const clientId = await approved('/twice.json');
    publish('/twice.json', { redirect_uris: ['https://evil.example/callback'] });
    const settled = await Promise.allSettled([
      checkMetadataDocuments(job()),
      checkMetadataDocuments(job()),
      checkMetadataDocuments(job()),
    ]);
    expect(settled.some(({ status }) => status === 'fulfilled')).toBe(true);
    expect(await changesOf(clientId)).toHaveLength(1);
    expect(await prisma().auditEvent.count({ where: { kind: 'instance.suspend', clientId } })).toBe(1);
  });
});

describe('clients over REST', () => {
  const tokens: Record<string, string> = {};
  let clientId: string;

  beforeAll(async () => {
    clientId = await approved('/listed.json');
    const nora = await addPerson(gate.database.db, 'nora', []);
    for (const [name, actor] of Object.entries({
      olive: world.olive,
      oscar: world.oscar,
      ava: world.ava,
      nora,
    })) {
      const ctx = ctxOf(gate.running.gate, {
        actor: { ...actor, elevatedAt: new Date() },
        clock: systemClock,
      } as never);
      tokens[name] = (await createApiToken(ctx, { name: 'Test', days: 1 })).token;
    }
  });

  const call = (who: string, path: string, body?: object) =>
    gate.ask(`/api/v1/clients${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${tokens[who]}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const idsFor = async (who: string) =>
    ((await call(who, '')).json() as unknown as { items?: { id: string }[] }).items?.map(({ id }) => id) ??
    [];

  test('shows a client to its owner and to approvers, and is a 404 for everybody else (T25)', async () => {
    const at = `/${encodeURIComponent(clientId)}`;
    expect([(await call('olive', at)).status, (await call('ava', at)).status]).toEqual([200, 200]);
    const foreign = await call('oscar', at);
    const missing = await call('oscar', `/${encodeURIComponent(`${origin}/nothing.json`)}`);
    expect([foreign.status, missing.status]).toEqual([404, 404]);
    expect({ ...foreign.json(), requestId: '' }).toEqual({ ...missing.json(), requestId: '' });
    expect((await call('nora', at)).status).toBeOneOf([403, 404]);
  });

  test('lists to each what they may see', async () => {
    expect(await idsFor('olive')).toContain(clientId);
    expect(await idsFor('ava')).toContain(clientId);
    expect(await idsFor('oscar')).not.toContain(clientId);
    expect(await idsFor('nora')).toEqual([]);
  });

  test('never says a secret or what revokes a client', async () => {
    const { text } = await call('ava', `/${encodeURIComponent(clientId)}`);
    const row = await prisma().client.findUniqueOrThrow({ where: { id: clientId } });
    expect(text).not.toContain(row.revocationHandle);
    expect(text).not.toMatch(/secretDigest|revocationHandle|secret_digest/);
  });

  test('ends a quarantine for an approver, once, and for nobody else', async () => {
    const answer = await gate.ask('/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'Stray', redirect_uris: ['http://127.0.0.1:49152/callback'] }),
    });
    const stray = answer.json().client_id as string;
    const end = (who: string) => call(who, `/${stray}/end-quarantine`, { reason: 'nobody knows it' });
    for (const who of ['olive', 'oscar', 'nora']) expect((await end(who)).status).toBeOneOf([403, 404]);
    expect((await prisma().client.findUniqueOrThrow({ where: { id: stray } })).forgottenAt).toBeNull();
    const both = await Promise.all([end('ava'), end('ava')]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(
      await prisma().auditEvent.count({ where: { kind: 'client.quarantine_end', clientId: stray } }),
    ).toBe(1);
  });
});
