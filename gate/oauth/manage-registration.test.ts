import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRequest } from '#lib/approvals/create-request.ts';
import { editRequest } from '#lib/approvals/edit-request.ts';
import { rejectRequest } from '#lib/approvals/reject-request.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { continueTransaction } from '#lib/registration/continue-transaction.ts';
import { openHandle } from '#lib/registration/open-handle.ts';
import { discardPending } from '#lib/registration/pending-metadata.ts';
import { getClient } from '#lib/registration/read-clients.ts';
import {
  approve,
  type ClaimWorld,
  claim,
  claimContent,
  createClaimWorld,
  loopbackClient,
  openInBrowser,
  signIn,
} from '#tests/claim-world.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { bodyOf, tokenClient } from '#tests/token-client.ts';
import { ctxOf } from '../context.ts';

let gate: TestGate;
let world: ClaimWorld;
beforeAll(async () => {
  gate = await startTestGate(4545, {
    COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '100000',
    COUNTERSIGN_REGISTRATIONS_PER_MINUTE: '100000',
  });
  await ensureSigningKeys(ctxOf(gate.running.gate, { actor: systemActor('test') }));
  world = await createClaimWorld(gate);
});
afterAll(() => gate.close());

type Registration = Record<string, unknown> & {
  client_id: string;
  registration_access_token: string;
  registration_client_uri: string;
};

let counter = 0;
async function register(more: object = {}): Promise<Registration> {
  const body = JSON.stringify({ ...loopbackClient, client_name: `Managed ${++counter}`, ...more });
  const headers = { 'content-type': 'application/json' };
  const answer = await gate.ask('/register', { method: 'POST', headers, body });
  return answer.json() as Registration;
}

function manage(method: 'GET' | 'PUT' | 'DELETE', uri: string, token: string, body?: object) {
  return gate.ask(uri.slice(gate.issuer.length), {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
}
const read = (client: Registration, token = client.registration_access_token) =>
  manage('GET', client.registration_client_uri, token);

/** What a client sends to replace its registration: all of it, without what is the server's. */
function replacement(client: Registration, change: object = {}): object {
  const {
    registration_access_token: _token,
    registration_client_uri: _uri,
    client_id_issued_at: _at,
    client_secret_expires_at: _expires,
    ...metadata
  } = client;
  return { ...metadata, ...change };
}

/** Registered, claimed by Olive, approved by Ava, with a token and a refresh token. */
async function working() {
  const client = await register();
  const sent = signIn(client.client_id, world.server.resource);
  const claimed = await claim(world, world.olive, await openInBrowser(gate, sent.path));
  await approve(world, claimed);
  const { location } = await continueTransaction(world.as(world.olive), {
    transactionId: claimed.transactionId,
  });
  const tokens = bodyOf(
    await tokenClient(gate).post('/token', {
      grant_type: 'authorization_code',
      client_id: client.client_id,
      code: new URL(location as string).searchParams.get('code') ?? '',
      code_verifier: sent.verifier,
      redirect_uri: 'http://127.0.0.1:50123/callback',
      resource: world.server.resource,
    }),
  );
  const refresh = () =>
    tokenClient(gate).post('/token', {
      grant_type: 'refresh_token',
      client_id: client.client_id,
      refresh_token: String(tokens.refresh_token),
    });
  const [instance] = await gate.database.db.prisma.instance.findMany({
    where: { clientId: client.client_id },
  });
  return { client, claimed, refresh, instanceId: instance?.id ?? '' };
}

const instanceState = async (id: string) =>
  (await gate.database.db.prisma.instance.findUniqueOrThrow({ where: { id } })).state;
const liveTokens = (clientId: string) =>
  gate.database.db.prisma.credential.count({ where: { clientId, endedAt: null } });

describe('a client manages its own registration (RFC 7592)', () => {
  test('reads it; each use answers with the next token, and the one before works until that was used', async () => {
    const client = await register();
    expect(client.registration_client_uri).toBe(`${gate.issuer}/register/${client.client_id}`);
    const first = await read(client);
    expect([first.status, first.headers['cache-control']]).toEqual([200, 'no-store']);
    const { registration_access_token: second, ...rest } = first.json() as Registration;
    expect(rest).toEqual({
      ...replacement(client),
      client_id_issued_at: client.client_id_issued_at,
      registration_client_uri: client.registration_client_uri,
    });
    expect(second).not.toBe(client.registration_access_token);
    // The answer with the second was lost: the first still opens, and gives another second.
    const again = (await read(client)).json() as Registration;
    expect((await read(client, second)).status).toBe(401);
    const third = (await read(client, again.registration_access_token)).json() as Registration;
    expect(third.client_id).toBe(client.client_id);
    expect((await read(client)).status).toBe(401);
  });

  test('no other token opens it: another client’s, none, a guess, one of the API, nor one of a client that is gone (T26)', async () => {
    const [mine, other] = [await register(), await register()];
    const before = await gate.database.db.prisma.client.findUnique({ where: { id: other.client_id } });
    const strange = [mine.registration_access_token, 'csr_guess', 'x'.repeat(5_000)];
    for (const token of strange) {
      for (const method of ['GET', 'PUT', 'DELETE'] as const) {
        const body = method === 'PUT' ? replacement(other) : undefined;
        const refused = await manage(method, other.registration_client_uri, token, body);
        expect([method, refused.status, refused.json().error]).toEqual([method, 401, 'invalid_token']);
        expect(refused.headers['www-authenticate']).toContain('error="invalid_token"');
      }
    }
    expect(await gate.database.db.prisma.client.findUnique({ where: { id: other.client_id } })).toEqual(
      before,
    );
    const none = await gate.ask(`/register/${other.client_id}`);
    expect([none.status, none.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    const unknown = await manage(
      'GET',
      `${gate.issuer}/register/client_unknown`,
      mine.registration_access_token,
    );
    const wrong = await manage('GET', other.registration_client_uri, mine.registration_access_token);
    expect(unknown.text).toBe(wrong.text);
    const api = await gate.ask('/api/v1/agents', {
      headers: { authorization: `Bearer ${mine.registration_access_token}` },
    });
    expect(api.status).toBe(401);
    const stored = await gate.database.db.prisma.client.findUniqueOrThrow({ where: { id: mine.client_id } });
    expect(JSON.stringify(stored)).not.toContain(mine.registration_access_token);
  });

  test('replaces it whole while nobody has decided on it, and is claimed as what it is then', async () => {
    const client = await register();
    const answer = await manage(
      'PUT',
      client.registration_client_uri,
      client.registration_access_token,
      replacement(client, {
        client_name: 'Renamed',
        redirect_uris: ['http://127.0.0.1/other'],
        logo_uri: undefined,
      }),
    );
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({
      client_name: 'Renamed',
      redirect_uris: ['http://127.0.0.1/other'],
    });
    const old = await gate.ask(signIn(client.client_id, world.server.resource).path);
    expect(old.status).toBe(400);
    const { path } = signIn(client.client_id, world.server.resource, {
      redirect_uri: 'http://127.0.0.1:50123/other',
    });
    const opened = await openHandle(world.as(world.olive), { handle: await openInBrowser(gate, path) });
    expect(opened.standing).toBe('unclaimed');
  });

  test('what it cannot send is refused and changes nothing, its token included', async () => {
    const client = await register();
    const { registration_client_uri: uri, registration_access_token: token } = client;
    const table: [number, object][] = [
      [400, replacement(client, { client_id: 'client_other' })],
      [400, replacement(client, { client_id: undefined })],
      [400, replacement(client, { registration_access_token: token })],
      [400, replacement(client, { registration_client_uri: uri })],
      [400, replacement(client, { client_id_issued_at: 1 })],
      [400, replacement(client, { redirect_uris: ['https://evil.example/cb#x'] })],
      [400, replacement(client, { client_secret: 'not issued' })],
      [413, replacement(client, { client_uri: `https://example.com/${'x'.repeat(20_000)}` })],
    ];
    for (const [status, body] of table) {
      const refused = await manage('PUT', uri, token, body);
      expect([body, refused.status]).toEqual([body, status]);
      expect(String(refused.json().error)).toMatch(/^invalid_(?:client_metadata|redirect_uri)$/);
    }
    const asText = await gate.ask(uri.slice(gate.issuer.length), {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' },
      body: '{}',
    });
    expect(asText.status).toBe(415);
    expect((await read(client)).json()).toMatchObject({ client_name: client.client_name });
  });

  test('a change of an approved client stops it, with its tokens, until it was reviewed; changing back lifts nothing', async () => {
    const { client, refresh, instanceId } = await working();
    expect((await refresh()).status).toBe(200);
    const cosmetic = (
      await manage(
        'PUT',
        client.registration_client_uri,
        client.registration_access_token,
        replacement(client, { logo_uri: 'https://example.com/logo.png' }),
      )
    ).json() as Registration;
    expect(await instanceState(instanceId)).toBe('active');
    expect(await liveTokens(client.client_id)).toBeGreaterThan(0);

    const moved = (
      await manage(
        'PUT',
        client.registration_client_uri,
        cosmetic.registration_access_token,
        replacement(client, { redirect_uris: ['http://127.0.0.1/callback', 'http://127.0.0.1/elsewhere'] }),
      )
    ).json() as Registration;
    expect(await instanceState(instanceId)).toBe('suspended');
    expect(await liveTokens(client.client_id)).toBe(0);
    const [entry] = await gate.database.db.prisma.feedEntry.findMany({
      where: { serverId: world.server.serverId, kind: 'credentials.ended' },
      orderBy: { sequence: 'desc' },
      take: 1,
    });
    expect(entry?.value).toMatchObject({ tokenIds: expect.arrayContaining([expect.any(String)]) });

    await manage('PUT', client.registration_client_uri, moved.registration_access_token, replacement(client));
    expect(await instanceState(instanceId)).toBe('suspended');
    const opened = await openHandle(world.as(world.olive), {
      handle: await openInBrowser(gate, signIn(client.client_id, world.server.resource).path),
    });
    expect(opened.standing).toBe('metadata changed');

    // Reviewed as it is now, it works again, as an instance of its own.
    const sent = signIn(client.client_id, world.server.resource);
    const again = await claim(world, world.olive, await openInBrowser(gate, sent.path));
    await approve(world, again);
    const instances = await gate.database.db.prisma.instance.findMany({
      where: { clientId: client.client_id },
      orderBy: { createdAt: 'asc' },
      select: { state: true },
    });
    expect(instances.map(({ state }) => state)).toEqual(['expired', 'active']);
  });

  describe('a change that leaves redirects and keys as they are', () => {
    const rename = (client: Registration, more: object = {}) =>
      manage(
        'PUT',
        client.registration_client_uri,
        client.registration_access_token,
        replacement(client, { client_name: `${client.client_name} II`, ...more }),
      );
    const row = (clientId: string) =>
      gate.database.db.prisma.client.findUniqueOrThrow({ where: { id: clientId } });
    const askForChange = async ({ claimed }: Awaited<ReturnType<typeof working>>) =>
      createRequest(world.as(world.olive), {
        kind: 'change',
        agentId: claimed.agentId,
        ...(await claimContent(world)),
        submit: true,
      });
    const namesIn = async (requestId: string) => {
      const revision = await gate.database.db.prisma.requestRevision.findFirstOrThrow({
        where: { requestId },
        orderBy: { number: 'desc' },
      });
      const { evidence } = revision.snapshot as { evidence: { kind: string; value: { name?: string } }[] };
      return evidence.filter(({ kind }) => kind === 'client name').map(({ value }) => value.name);
    };

    test('waits beside what was approved; the client works on, and its owner is told', async () => {
      const { client, refresh, instanceId } = await working();
      const answer = await rename(client, { grant_types: ['authorization_code'] });
      // What is registered, not what was asked for (RFC 7592 §2.2).
      expect([answer.status, answer.json().client_name]).toEqual([200, client.client_name]);
      expect(await instanceState(instanceId)).toBe('active');
      expect((await refresh()).status).toBe(200);
      const detail = await getClient(world.as(world.olive), client.client_id);
      expect(detail.pending).toMatchObject({
        isOwn: true,
        changes: [
          { member: 'client_name', before: client.client_name, after: `${client.client_name} II` },
          { member: 'grant_types', after: '["authorization_code"]' },
        ],
      });
      const told = await gate.database.db.prisma.notification.findMany({
        where: { kind: 'client.metadata_change', href: { contains: client.client_id } },
      });
      expect(told.map(({ personId }) => personId)).toEqual([world.olive.personId]);
      // Said again, nothing happens again.
      const { registration_access_token } = answer.json() as Registration;
      await rename({ ...client, registration_access_token }, { grant_types: ['authorization_code'] });
      const events = await gate.database.db.prisma.auditEvent.findMany({
        where: { clientId: client.client_id, kind: 'client.metadata_change' },
      });
      expect(events.map(({ reason }) => reason)).toEqual(['proposed']);
    });

    test('is in the next change request, in words and in its digest, and approved takes effect with it', async () => {
      const it = await working();
      await rename(it.client);
      const request = await askForChange(it);
      expect(await namesIn(request.id)).toEqual([`${it.client.client_name} II`]);
      expect((await row(it.client.client_id)).name).toBe(it.client.client_name);
      await approve(world, request);
      expect(await row(it.client.client_id)).toMatchObject({
        name: `${it.client.client_name} II`,
        pendingDigest: null,
        pendingMetadata: null,
      });
      expect(await instanceState(it.instanceId)).toBe('active');
      // It signs in as before: nothing about it is unreviewed.
      const sent = signIn(it.client.client_id, world.server.resource);
      const opened = await openHandle(world.as(world.olive), {
        handle: await openInBrowser(gate, sent.path),
      });
      expect(opened.standing).toBe('approved');
    });

    test('changed again after the approver read it, it cannot be approved; edited, the request says the new', async () => {
      const it = await working();
      const first = (await rename(it.client)).json() as Registration;
      const request = await askForChange(it);
      const { registration_access_token } = first;
      await rename({ ...it.client, registration_access_token }, { client_name: 'Something else' });
      await expect(approve(world, request)).rejects.toMatchObject({ code: 'precondition_failed' });
      await editRequest(world.as(world.olive), {
        requestId: request.id,
        ...(await claimContent(world)),
      } as never);
      expect(await namesIn(request.id)).toEqual(['Something else']);
    });

    test('rejected, it is gone, and the client works on as approved', async () => {
      const it = await working();
      await rename(it.client);
      const request = await askForChange(it);
      await rejectRequest(world.as(world.ava), { requestId: request.id, reason: 'Keep the name.' });
      expect(await row(it.client.client_id)).toMatchObject({
        name: it.client.client_name,
        pendingDigest: null,
      });
      expect((await it.refresh()).status).toBe(200);
      expect(await namesIn((await askForChange(it)).id)).toEqual([it.client.client_name]);
    });

    test('its owner discards it, nobody else does, and once', async () => {
      const it = await working();
      await rename(it.client);
      const discard = (person: typeof world.olive) =>
        discardPending(world.as(person), { clientId: it.client.client_id });
      await expect(discard(world.oscar)).rejects.toMatchObject({ code: 'not_found' });
      await expect(discard(world.ava)).rejects.toMatchObject({ code: 'forbidden' });
      const both = await Promise.allSettled([discard(world.olive), discard(world.olive)]);
      expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect((await row(it.client.client_id)).pendingDigest).toBeNull();
      const events = await gate.database.db.prisma.auditEvent.findMany({
        where: { clientId: it.client.client_id, reason: 'discarded' },
      });
      expect(events.map(({ actorId }) => actorId)).toEqual([world.olive.personId]);
    });

    test('said as approved again, it is taken back; with another redirect it stops the client at once', async () => {
      const it = await working();
      const first = (await rename(it.client)).json() as Registration;
      const { registration_client_uri: uri } = it.client;
      const back = (
        await manage('PUT', uri, first.registration_access_token, replacement(it.client))
      ).json() as Registration;
      expect((await row(it.client.client_id)).pendingDigest).toBeNull();
      const again = (
        await rename({ ...it.client, registration_access_token: back.registration_access_token })
      ).json() as Registration;
      await manage(
        'PUT',
        uri,
        again.registration_access_token,
        replacement(it.client, {
          client_name: 'Moved',
          redirect_uris: ['http://127.0.0.1/callback', 'http://127.0.0.1/elsewhere'],
        }),
      );
      expect(await row(it.client.client_id)).toMatchObject({ name: 'Moved', pendingDigest: null });
      expect(await instanceState(it.instanceId)).toBe('suspended');
    });

    test('a weaker way to prove itself waits too: until it is approved the old one is asked for', async () => {
      const it = await working();
      await rename(it.client, { token_endpoint_auth_method: 'client_secret_post' });
      expect((await it.refresh()).status).toBe(200);
      const request = await askForChange(it);
      await approve(world, request);
      expect(await row(it.client.client_id)).toMatchObject({
        tokenEndpointAuthMethod: 'client_secret_post',
      });
      expect((await it.refresh()).json().error).toBe('invalid_client');
    });
  });

  test('what could not be registered from here cannot be changed to from here', async () => {
    const client = await register();
    const { registration_client_uri: uri, registration_access_token: token } = client;
    const elsewhere = await startTestGate(4547, { COUNTERSIGN_REGISTRATION_NETWORKS: '192.0.2.0/24' });
    try {
      const { db } = elsewhere.database;
      const row = await gate.database.db.prisma.client.findUniqueOrThrow({ where: { id: client.client_id } });
      await db.prisma.client.create({
        data: { ...row, metadata: row.metadata as object, jwks: undefined, pendingMetadata: undefined },
      });
      const path = uri.slice(gate.issuer.length);
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const body = JSON.stringify(replacement(client, { client_name: 'Elsewhere' }));
      const refused = await elsewhere.ask(path, { method: 'PUT', headers, body });
      expect([refused.status, refused.json().error]).toEqual([403, 'access_denied']);
      const ended = await elsewhere.ask(path, {
        method: 'DELETE',
        headers: { authorization: headers.authorization },
      });
      expect(ended.status).toBe(204);
    } finally {
      await elsewhere.close();
    }
  });

  test('a change while its request waits: what the approver has read cannot be approved any more', async () => {
    const client = await register();
    const sent = signIn(client.client_id, world.server.resource);
    const claimed = await claim(world, world.olive, await openInBrowser(gate, sent.path));
    const change = replacement(client, {
      redirect_uris: ['http://127.0.0.1/callback', 'http://127.0.0.1/elsewhere'],
    });
    const { registration_client_uri: uri, registration_access_token: token } = client;
    expect((await manage('PUT', uri, token, change)).status).toBe(200);
    await expect(approve(world, claimed)).rejects.toMatchObject({ code: 'precondition_failed' });
  });

  test('ends it: 204, its tokens and nobody else’s end, its id is a tombstone, and its token opens nothing', async () => {
    const [gone, stays] = [await working(), await working()];
    const { client } = gone;
    const ended = await manage('DELETE', client.registration_client_uri, client.registration_access_token);
    expect([ended.status, ended.text]).toEqual([204, '']);
    expect(await instanceState(gone.instanceId)).toBe('revoked');
    expect([await liveTokens(client.client_id), await liveTokens(stays.client.client_id)]).toEqual([0, 1]);
    expect((await gone.refresh()).json().error).toBe('invalid_client');
    expect((await stays.refresh()).status).toBe(200);
    expect((await read(client)).status).toBe(401);
    const preflight = await gate.ask(signIn(client.client_id, world.server.resource).path);
    expect(preflight.json().error).toBe('invalid_client');
    const page = await gate.ask(signIn(client.client_id, world.server.resource).path, {
      headers: { accept: 'text/html' },
    });
    expect(page.text).toContain('The client itself ended its registration.');
    const events = await gate.database.db.prisma.auditEvent.findMany({
      where: { clientId: client.client_id, kind: { in: ['client.delete', 'credential.end'] } },
      select: { kind: true, actorKind: true, parentIds: true, id: true },
      orderBy: { at: 'asc' },
    });
    const deleted = events.find((event) => event.kind === 'client.delete');
    expect(deleted?.actorKind).toBe('client');
    expect(events.find((event) => event.kind === 'credential.end')?.parentIds).toEqual([deleted?.id]);
    const told = await gate.database.db.prisma.notification.findFirst({
      where: { kind: 'client.delete', href: { contains: client.client_id } },
    });
    expect(told?.personId).toBe(world.olive.personId);
  });

  test('changing itself is bounded like registering: over the budget it is told when to come again', async () => {
    const narrow = await startTestGate(4546, { COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '2' });
    try {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify(loopbackClient);
      const client = (
        await narrow.ask('/register', { method: 'POST', headers, body })
      ).json() as Registration;
      const path = `/register/${client.client_id}`;
      let token = client.registration_access_token;
      const statuses: number[] = [];
      for (let use = 0; use < 5; use++) {
        const answer = await narrow.ask(path, { headers: { authorization: `Bearer ${token}` } });
        statuses.push(answer.status);
        if (answer.status === 200) token = (answer.json() as Registration).registration_access_token;
        else {
          expect(answer.json().error).toBe('too_many_requests');
          expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
        }
      }
      expect(statuses.slice(0, 3)).toEqual([200, 200, 200]);
      expect(statuses.at(-1)).toBe(429);
      const ended = await narrow.ask(path, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      });
      expect(ended.status).toBe(204);
    } finally {
      await narrow.close();
    }
  });

  test('of twenty ends and replacements at once there is one outcome, and nothing half done', async () => {
    const { client, instanceId } = await working();
    const asked = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        index % 2
          ? manage('DELETE', client.registration_client_uri, client.registration_access_token)
          : manage(
              'PUT',
              client.registration_client_uri,
              client.registration_access_token,
              replacement(client, { client_name: `Racing ${index}` }),
            ),
      ),
    );
    expect(asked.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(asked.filter(({ status }) => ![200, 204, 401, 503].includes(status))).toEqual([]);
    expect(await instanceState(instanceId)).toBe('revoked');
    expect(await liveTokens(client.client_id)).toBe(0);
  });
});
