import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { linkInstance } from '#lib/approvals/link-instance.ts';
import { rejectRequest } from '#lib/approvals/reject-request.ts';
import { submitClaim } from '#lib/approvals/submit-claim.ts';
import { withdrawRequest } from '#lib/approvals/withdraw-request.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemActor } from '#lib/platform/actor.ts';
import { continueApproved } from '#lib/registration/continue-approved.ts';
import { continueTransaction } from '#lib/registration/continue-transaction.ts';
import { endQuarantine, endUnclaimedQuarantines, forgetClient } from '#lib/registration/end-quarantine.ts';
import { joinWaiting } from '#lib/registration/join-waiting.ts';
import { openHandle } from '#lib/registration/open-handle.ts';
import { readWaiting } from '#lib/registration/read-waiting.ts';
import { revokeAgent, suspendAgent } from '#lib/revocation/stop-agent.ts';
import {
  approve,
  type ClaimWorld,
  claim,
  claimContent,
  createClaimWorld,
  loopbackClient,
  openInBrowser,
  registerClient,
  signIn,
} from '#tests/claim-world.ts';
import { createServer as createMcpServer } from '#tests/credentials-world.ts';
import { TestClock } from '#tests/ctx.ts';
import { startTestGate, type TestGate } from '#tests/gate.ts';
import { addPerson } from '#tests/people.ts';
import { ctxOf } from '../context.ts';

const clock = new TestClock();
let gate: TestGate;
let world: ClaimWorld;

beforeAll(async () => {
  gate = await startTestGate(
    4505,
    {
      COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '100000',
      COUNTERSIGN_REGISTRATIONS_PER_MINUTE: '100000',
      COUNTERSIGN_ALLOW_LOOPBACK_METADATA: '1',
    },
    { clock },
  );
  await ensureSigningKeys(ctxOf(gate.running.gate, { actor: systemActor('test') }));
  world = await createClaimWorld(gate);
});
afterAll(() => gate.close());

const html = { accept: 'text/html,application/xhtml+xml' };
const json = { accept: 'application/json' };

async function standing(clientId: string, person = world.olive, overrides: Record<string, string> = {}) {
  const handle = await openInBrowser(gate, signIn(clientId, world.server.resource, overrides).path);
  return openHandle(world.as(person), { handle });
}

/** A client of a fresh name, so that nothing is inherited from another test. */
let counter = 0;
function fresh(overrides: object = {}) {
  counter++;
  return registerClient(gate, { ...loopbackClient, client_name: `Client ${counter}`, ...overrides });
}

async function claimed(person = world.olive, clientId?: string) {
  const id = clientId ?? (await fresh());
  const sent = signIn(id, world.server.resource);
  const handle = await openInBrowser(gate, sent.path);
  return { clientId: id, sent, ...(await claim(world, person, handle)) };
}

const rowsWritten = async () => {
  const { rows } = await gate.database.db.hot.query(
    `SELECT (SELECT count(*)::int FROM client) c, (SELECT count(*)::int FROM instance) i,
            (SELECT count(*)::int FROM authorization_transaction) t, (SELECT count(*)::int FROM audit_event) e`,
  );
  return rows[0];
};

describe('what the authorization endpoint answers, state by state', () => {
  test('an unknown id: 400 as a page, 400 invalid_client as JSON for whoever does not want HTML', async () => {
    const { path } = signIn('client_unknown', world.server.resource);
    const page = await gate.ask(path, { headers: html });
    expect([page.status, page.headers['content-type']]).toEqual([400, 'text/html; charset=utf-8']);
    expect(page.headers['set-cookie']).toBeUndefined();
    const preflight = await gate.ask(path, { headers: json });
    expect(preflight.status).toBe(400);
    expect(preflight.json().error).toBe('invalid_client');
    expect((await gate.ask(path)).json().error).toBe('invalid_client');
  });

  test('quarantined: 303 to the console with a handle, never 4xx, and nothing written however often', async () => {
    const clientId = await fresh();
    const { path } = signIn(clientId, world.server.resource);
    const before = await rowsWritten();
    for (const headers of [html, json, {}]) {
      const answer = await gate.ask(path, { headers });
      expect(answer.status).toBe(303);
      const location = new URL(answer.headers.location as string);
      expect(location.origin).toBe(gate.consoleOrigin);
      expect(location.pathname).toBe('/claim');
      expect(answer.headers['referrer-policy']).toBe('no-referrer');
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
    expect(await rowsWritten()).toEqual(before);
    expect((await standing(clientId)).standing).toBe('unclaimed');
  });

  test('pending: the same browser waits, a second sign-in of the owner may wait too', async () => {
    const first = await claimed();
    expect((await standing(first.clientId)).standing).toBe('pending');
    expect((await openHandle(world.as(world.olive), { handle: first.handle })).transactionId).toBe(
      first.transactionId,
    );
    const again = await openInBrowser(gate, signIn(first.clientId, world.server.resource).path);
    const opened = await openHandle(world.as(world.olive), { handle: again });
    const joined = await joinWaiting(world.as(world.olive), { handle: again, claimKey: opened.claimKey });
    expect((await readWaiting(world.as(world.olive), joined.transactionId)).state).toBe('waiting');
    await approve(world, first);
    for (const transactionId of [first.transactionId, joined.transactionId]) {
      expect((await continueTransaction(world.as(world.olive), { transactionId })).location).toMatch(/code=/);
    }
  });

  test('approved: the claiming transaction goes on once with code, state and iss; a later one only by the button', async () => {
    const first = await claimed();
    const ctx = world.as(world.olive);
    expect(await continueTransaction(ctx, first)).toEqual({ location: null, state: 'waiting' });
    await approve(world, first);
    expect((await readWaiting(ctx, first.transactionId)).state).toBe('ready');
    const { location } = await continueTransaction(ctx, { transactionId: first.transactionId });
    const target = new URL(location as string);
    expect(`${target.origin}${target.pathname}`).toBe('http://127.0.0.1:50123/callback');
    expect(target.searchParams.get('code')).toMatch(/^csc_/);
    expect(target.searchParams.get('state')).toBe(first.sent.state);
    expect(target.searchParams.get('iss')).toBe(gate.issuer);
    expect(await continueTransaction(ctx, { transactionId: first.transactionId })).toEqual({
      location: null,
      state: 'continued',
    });

    const sent = signIn(first.clientId, world.server.resource, {
      redirect_uri: 'http://127.0.0.1:50999/callback',
    });
    const handle = await openInBrowser(gate, sent.path);
    const opened = await openHandle(ctx, { handle });
    expect(opened).toMatchObject({ standing: 'approved', binding: { toolNames: ['read_note'] } });
    const codes = await gate.database.db.prisma.authorizationCode.count();
    await openHandle(ctx, { handle });
    expect(await gate.database.db.prisma.authorizationCode.count()).toBe(codes);
    const { transactionId } = await continueApproved(ctx, { handle, claimKey: opened.claimKey });
    const later = new URL((await continueTransaction(ctx, { transactionId })).location as string);
    expect(later.port).toBe('50999');
    await expect(continueApproved(ctx, { handle, claimKey: opened.claimKey })).rejects.toMatchObject({
      code: 'conflict',
    });

    const token = await gate.ask('/token', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: first.clientId,
        code: later.searchParams.get('code') as string,
        code_verifier: sent.verifier,
        redirect_uri: 'http://127.0.0.1:50999/callback',
        resource: world.server.resource,
      }).toString(),
    });
    expect([token.status, token.json().scope]).toEqual([200, 'mcp tool:read_note']);
  });

  test('rejected: a page with the reason, then access_denied to the waiting client; a re-registration inherits it', async () => {
    const first = await claimed();
    await rejectRequest(world.as(world.ava), { requestId: first.id, reason: 'Not on production data' });
    expect(await standing(first.clientId)).toMatchObject({
      standing: 'rejected',
      request: { reason: 'Not on production data' },
    });
    const { location } = await continueTransaction(world.as(world.olive), {
      transactionId: first.transactionId,
    });
    const target = new URL(location as string);
    expect(target.searchParams.get('error')).toBe('access_denied');
    expect(target.searchParams.get('error_description')).toContain('Not on production data');
    expect(target.searchParams.get('iss')).toBe(gate.issuer);
    expect(target.searchParams.get('code')).toBeNull();
    const again = await registerClient(gate, { ...loopbackClient, client_name: first.opened.client.name });
    expect(await standing(again)).toMatchObject({ standing: 'rejected', isInherited: true });
    expect((await standing(again, world.oscar)).facts.some((fact) => fact.kind === 'earlier refusal')).toBe(
      true,
    );
  });

  test('withdrawn: access_denied as well, and the owner may ask again', async () => {
    const first = await claimed();
    await withdrawRequest(world.as(world.olive), { requestId: first.id, reason: '' });
    expect((await standing(first.clientId)).standing).toBe('withdrawn');
    const { location } = await continueTransaction(world.as(world.olive), {
      transactionId: first.transactionId,
    });
    expect(new URL(location as string).searchParams.get('error')).toBe('access_denied');
    const again = await claimed(world.olive, first.clientId);
    expect(again.number).toBeGreaterThan(first.number);
    const request = await gate.database.db.prisma.registrationRequest.findUniqueOrThrow({
      where: { id: again.id },
    });
    expect(request.previousRequestId).toBe(first.id);
  });

  test('suspended: a status page, no claim, no code, also for a new registration of the same software', async () => {
    const first = await claimed();
    await approve(world, first);
    await suspendAgent(world.as(world.olive), {
      agentId: first.agentId,
      cause: 'administrative',
      reason: 'holiday',
    });
    const opened = await standing(first.clientId);
    expect(opened).toMatchObject({ standing: 'suspended', agent: { state: 'suspended' } });
    const ended = await continueTransaction(world.as(world.olive), { transactionId: first.transactionId });
    expect(new URL(ended.location as string).searchParams.get('error')).toBe('access_denied');
    const again = await registerClient(gate, { ...loopbackClient, client_name: first.opened.client.name });
    const handle = await openInBrowser(gate, signIn(again, world.server.resource).path);
    const inherited = await openHandle(world.as(world.olive), { handle });
    expect(inherited).toMatchObject({ standing: 'suspended', isInherited: true });
    await expect(
      submitClaim(world.as(world.olive), {
        handle,
        claimKey: inherited.claimKey,
        ...(await claimContent(world)),
      }),
    ).rejects.toMatchObject({ code: 'conflict' });
    await expect(
      continueApproved(world.as(world.olive), { handle, claimKey: inherited.claimKey }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });

  test('revoked, client kept: a new request can be asked for', async () => {
    const first = await claimed();
    await approve(world, first);
    await revokeAgent(world.as(world.olive), {
      agentId: first.agentId,
      cause: 'administrative',
      reason: 'done',
    });
    expect((await standing(first.clientId)).standing).toBe('revoked');
    expect((await claimed(world.olive, first.clientId)).state).toBe('submitted');
  });

  test('quarantine ended unclaimed: a tombstone that lets its person ask again; the event says it ended', async () => {
    const clientId = await fresh();
    clock.advanceSeconds(24 * 3600 + 1);
    const system = ctxOf(gate.running.gate, { actor: systemActor('jobs') });
    expect((await endUnclaimedQuarantines(system)).ended).toBeGreaterThan(0);
    expect((await endUnclaimedQuarantines(system)).ended).toBe(0);
    const events = await gate.database.db.prisma.auditEvent.findMany({
      where: { subjectId: clientId },
      orderBy: { at: 'asc' },
    });
    expect(events.map((event) => event.kind)).toEqual(['client.register', 'client.unclaimed']);
    expect((await standing(clientId)).standing).toBe('quarantine ended');
    expect((await claimed(world.olive, clientId)).state).toBe('submitted');
  });

  test('ended by an approver or forgotten: a tombstone page, invalid_client for a preflight', async () => {
    const clientId = await fresh();
    await expect(endQuarantine(world.as(world.olive), { clientId, reason: 'spam' })).rejects.toMatchObject({
      code: 'forbidden',
    });
    await endQuarantine(world.as(world.ava), { clientId, reason: 'spam' });
    await expect(endQuarantine(world.as(world.ava), { clientId, reason: 'spam' })).rejects.toMatchObject({
      code: 'conflict',
    });
    const { path } = signIn(clientId, world.server.resource);
    const page = await gate.ask(path, { headers: html });
    expect([page.status, page.text.includes('An approver ended its quarantine')]).toEqual([400, true]);
    expect((await gate.ask(path, { headers: json })).json().error).toBe('invalid_client');
    const adam = await addPerson(gate.database.db, `adam${counter}`, ['admin']);
    const other = await fresh();
    await forgetClient(world.as(adam), { clientId: other, reason: 'tidy up' });
    expect((await gate.ask(signIn(other, world.server.resource).path, { headers: json })).json().error).toBe(
      'invalid_client',
    );
    const inUse = await claimed();
    await expect(
      forgetClient(world.as(adam), { clientId: inUse.clientId, reason: 'x y z' }),
    ).rejects.toMatchObject({ code: 'conflict' });
    await expect(
      endQuarantine(world.as(world.ava), { clientId: inUse.clientId, reason: 'spam' }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });

  test('a client of somebody who has left names who can take over', async () => {
    const first = await claimed(world.oscar);
    await gate.database.db.prisma.person.update({
      where: { id: world.oscar.personId },
      data: { state: 'deactivated' },
    });
    expect(await standing(first.clientId)).toMatchObject({
      standing: 'owner disabled',
      formerOwner: { displayName: 'oscar' },
    });
    await gate.database.db.prisma.person.update({
      where: { id: world.oscar.personId },
      data: { state: 'active' },
    });
  });
});

describe('the wait', () => {
  test('ends for the client before its own 300 s with access_denied, a link, state and iss', async () => {
    const first = await claimed();
    clock.advanceSeconds(286);
    const ctx = world.as(world.olive);
    expect((await readWaiting(ctx, first.transactionId)).state).toBe('time is up');
    const { location } = await continueTransaction(ctx, { transactionId: first.transactionId });
    const target = new URL(location as string);
    expect(target.searchParams.get('error')).toBe('access_denied');
    expect(target.searchParams.get('error_description')).toContain(
      `CS-${first.number} is waiting for approval: ${gate.consoleOrigin}/requests/${first.id}`,
    );
    expect(target.searchParams.get('state')).toBe(first.sent.state);
    await approve(world, first);
    const sent = await standing(first.clientId);
    expect(sent.standing).toBe('approved');
  });

  test('past 300 s sends nothing to a port nobody listens on', async () => {
    const first = await claimed();
    clock.advanceSeconds(301);
    const ctx = world.as(world.olive);
    expect(await continueTransaction(ctx, { transactionId: first.transactionId })).toEqual({
      location: null,
      state: 'client gone',
    });
    await approve(world, first);
    expect(await continueTransaction(ctx, { transactionId: first.transactionId })).toEqual({
      location: null,
      state: 'approved too late',
    });
  });

  test('counts from a fresh registration, so a slow sign-in eats the wait and a reload does not restart it', async () => {
    const clientId = await fresh();
    clock.advanceSeconds(60);
    const { path } = signIn(clientId, world.server.resource);
    const one = await openHandle(world.as(world.olive), { handle: await openInBrowser(gate, path) });
    expect(new Date(one.deadlineAt).getTime() - clock.now().getTime()).toBe(225_000);
    clock.advanceSeconds(100);
    const old = await openHandle(world.as(world.olive), {
      handle: await openInBrowser(gate, signIn(clientId, world.server.resource).path),
    });
    expect(new Date(old.deadlineAt).getTime() - clock.now().getTime()).toBe(285_000);
    const again = signIn(clientId, world.server.resource).path;
    await openInBrowser(gate, again);
    clock.advanceSeconds(30);
    const reloaded = await openHandle(world.as(world.olive), { handle: await openInBrowser(gate, again) });
    expect(new Date(reloaded.deadlineAt).getTime() - clock.now().getTime()).toBe(255_000);
  });

  test('goes on in the claiming session only (T37)', async () => {
    const first = await claimed();
    await approve(world, first);
    const otherSession = { ...world.olive, sessionId: 'ses_other' };
    expect(
      (await continueTransaction(world.as(otherSession), { transactionId: first.transactionId })).location,
    ).toBeNull();
    await expect(
      continueTransaction(world.as(world.oscar), { transactionId: first.transactionId }),
    ).rejects.toMatchObject({ code: 'not_found' });
    await expect(readWaiting(world.as(world.ava), first.transactionId)).rejects.toMatchObject({
      code: 'not_found',
    });
    const tabs = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        continueTransaction(world.as(world.olive), { transactionId: first.transactionId }),
      ),
    );
    const locations = tabs.flatMap((tab) =>
      tab.status === 'fulfilled' && tab.value.location ? [tab.value.location] : [],
    );
    expect(locations).toHaveLength(1);
  });
});

describe('claiming', () => {
  test('of twenty claims of one link by two owners exactly one commits (T37)', async () => {
    const clientId = await fresh();
    const handle = await openInBrowser(gate, signIn(clientId, world.server.resource).path);
    const content = await claimContent(world);
    const keys = await Promise.all(
      [world.olive, world.oscar].map(
        async (person) => (await openHandle(world.as(person), { handle })).claimKey,
      ),
    );
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        submitClaim(world.as(index % 2 ? world.oscar : world.olive), {
          handle,
          claimKey: keys[index % 2] as string,
          ...content,
        }),
      ),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected')
        expect(['conflict', 'unavailable', 'limit_exceeded']).toContain(result.reason.code);
    }
    const { prisma } = gate.database.db;
    expect(await prisma.instance.count({ where: { clientId } })).toBe(1);
    expect(await prisma.auditEvent.count({ where: { kind: 'client.claim', subjectId: clientId } })).toBe(1);
  });

  test('a handle is bound to the session that opened it, cannot be altered, and ends after ten minutes (T37, T38)', async () => {
    const clientId = await fresh();
    const handle = await openInBrowser(gate, signIn(clientId, world.server.resource).path);
    const { claimKey } = await openHandle(world.as(world.olive), { handle });
    const content = await claimContent(world);
    const thief = { ...world.olive, sessionId: 'ses_elsewhere' };
    await expect(submitClaim(world.as(thief), { handle, claimKey, ...content })).rejects.toMatchObject({
      code: 'invalid',
    });
    await expect(submitClaim(world.as(world.oscar), { handle, claimKey, ...content })).rejects.toMatchObject({
      code: 'invalid',
    });
    for (const bad of [
      `${handle}A`,
      // The same bytes, spelled otherwise.
      `${handle}=`,
      handle.slice(0, -2),
      'v1.',
      'x',
      handle.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    ]) {
      await expect(openHandle(world.as(world.olive), { handle: bad })).rejects.toMatchObject({
        code: 'invalid',
      });
    }
    clock.advanceSeconds(601);
    await expect(submitClaim(world.as(world.olive), { handle, claimKey, ...content })).rejects.toMatchObject({
      code: 'invalid',
    });
    expect(await gate.database.db.prisma.instance.count({ where: { clientId } })).toBe(0);
  });

  test('needs the role owner and a browser session', async () => {
    const handle = await openInBrowser(gate, signIn(await fresh(), world.server.resource).path);
    const opened = await openHandle(world.as(world.ava), { handle });
    expect(opened.mayClaim).toBe(false);
    await expect(
      submitClaim(world.as(world.ava), { handle, claimKey: opened.claimKey, ...(await claimContent(world)) }),
    ).rejects.toMatchObject({ code: 'forbidden' });
    const byToken = world.as({ ...world.olive, via: 'token' } as never);
    await expect(openHandle(byToken, { handle })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(openHandle(ctxOf(gate.running.gate), { handle })).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });

  test('another person opening a claimed loopback client starts a request of their own, and both facts are seen', async () => {
    const first = await claimed(world.olive);
    const opened = await standing(first.clientId, world.oscar);
    expect(opened.standing).toBe('unclaimed');
    expect(opened.facts.find((fact) => fact.kind === 'other owner')?.status).toBe('contradicted');
    const second = await claimed(world.oscar, first.clientId);
    expect(second.agentId).not.toBe(first.agentId);
  });

  test('different addresses of client, sign-in and claim are a contradiction', async () => {
    const handle = await openInBrowser(gate, signIn(await fresh(), world.server.resource).path);
    const ctx = world.as(world.olive, { address: '198.51.100.7' });
    const opened = await openHandle(ctx, { handle });
    expect(opened.facts[0]).toMatchObject({ kind: 'network agreement', status: 'contradicted' });
  });

  test('the same software registered again is linked by its owner with one click, with no new request', async () => {
    const first = await claimed();
    await approve(world, first);
    const again = await registerClient(gate, {
      ...loopbackClient,
      client_name: first.opened.client.name,
      redirect_uris: ['http://127.0.0.1:61000/callback'],
    });
    const handle = await openInBrowser(gate, signIn(again, world.server.resource).path);
    const ctx = world.as(world.olive);
    const opened = await openHandle(ctx, { handle });
    expect(opened).toMatchObject({
      standing: 'unclaimed',
      similar: { state: 'active', isLinkable: true, agentId: first.agentId },
    });
    expect((await openHandle(world.as(world.oscar), { handle })).similar).toBeNull();
    const linked = await linkInstance(ctx, { handle, claimKey: opened.claimKey, agentId: first.agentId });
    expect((await continueTransaction(ctx, { transactionId: linked.transactionId })).location).toMatch(
      /code=/,
    );
    const wider = await registerClient(gate, {
      ...loopbackClient,
      client_name: first.opened.client.name,
      redirect_uris: ['http://127.0.0.1:61000/callback'],
      grant_types: ['authorization_code'],
    });
    const other = await standing(wider);
    expect(other.similar?.isLinkable).toBe(false);
  });
});

describe('redirects and parameters (T17, T22, T43)', () => {
  test('no variant of a registered redirect URI is followed', async () => {
    const clientId = await fresh({
      redirect_uris: ['https://app.example.com/cb', 'http://127.0.0.1:49152/callback', 'com.example.app:/cb'],
      token_endpoint_auth_method: 'none',
    });
    const variants = [
      'https://app.example.com/cb/',
      'https://app.example.com/cb?x=1',
      'https://app.example.com/CB',
      'https://APP.example.com/cb',
      'https://app.example.com:443/cb',
      'https://app.example.com:8443/cb',
      'https://app.example.com/cb/../cb',
      'https://app.example.com/./cb',
      'https://app.example.com/%63b',
      'https://app.example.com/cb%00',
      'https://app.example.com/cb%20',
      'https://app.example.com/cb ',
      ' https://app.example.com/cb',
      'https://app.example.com/c',
      'https://app.example.com/cbx',
      'https://app.example.com/',
      'https://app.example.com',
      'http://app.example.com/cb',
      'https://app.example.com.evil.example/cb',
      'https://evil.example/https://app.example.com/cb',
      'https://app.example.com@evil.example/cb',
      'https://evil.example\\@app.example.com/cb',
      'https://app.example.com\\.evil.example/cb',
      'https://app.example.com#@evil.example/',
      'https://app.example.com/cb#x',
      '//app.example.com/cb',
      '/cb',
      'cb',
      'https:app.example.com/cb',
      'https:/app.example.com/cb',
      'javascript:alert(1)',
      'data:text/html,x',
      'http://localhost:49152/callback',
      'http://127.0.0.1:49152/callback/',
      'http://127.0.0.1:49152/callback?x',
      'http://127.0.0.1:49152/Callback',
      'http://127.0.0.1:49152/../callback',
      'http://127.0.0.1.evil.example:49152/callback',
      'http://127.0.0.1@evil.example/callback',
      'http://127.1:49152/callback',
      'http://2130706433:49152/callback',
      'http://0x7f000001/callback',
      'http://[::1]:49152/callback',
      'http://[::ffff:127.0.0.1]:49152/callback',
      'http://127.0.0.1:0/callback',
      'http://127.0.0.1:99999/callback',
      'http://127.0.0.1:49152 /callback',
      'https://127.0.0.1:49152/callback',
      'http://127.0.0.2:49152/callback',
      'http://127.0.0.1:49152//callback',
      'http://127.0.0.1:49152/callback%2f',
      'http://127.0.0.1:49152\\callback',
      'http://evil.example:49152/callback',
      'com.example.app:/cb/',
      'com.example.app://cb',
      'com.example.app:/cb?x',
      'COM.example.app:/cb',
      'com.example.app:cb',
      'com.example.evil:/cb',
      'com.example.app:/',
    ];
    expect(variants.length).toBeGreaterThanOrEqual(58);
    for (const uri of variants) {
      const answer = await gate.ask(signIn(clientId, world.server.resource, { redirect_uri: uri }).path, {
        headers: html,
      });
      expect([uri, answer.status, answer.headers.location]).toEqual([uri, 400, undefined]);
    }
    const { path } = signIn(clientId, world.server.resource);
    const omitted = path.replace(/redirect_uri=[^&]*&/, '');
    expect((await gate.ask(omitted, { headers: html })).status).toBe(400);
    for (const port of ['1024', '65535', '']) {
      const uri = `http://127.0.0.1${port && `:${port}`}/callback`;
      expect(
        (await gate.ask(signIn(clientId, world.server.resource, { redirect_uri: uri }).path)).status,
      ).toBe(303);
    }
  });

  test('faults reach a loopback client with iss, and only the person where nobody approved the redirect', async () => {
    const clientId = await fresh();
    const table: [string, Record<string, string>][] = [
      ['unsupported_response_type', { response_type: 'token' }],
      ['invalid_request', { code_challenge_method: 'plain' }],
      ['invalid_request', { code_challenge_method: '' }],
      ['invalid_request', { code_challenge: '' }],
      ['invalid_request', { code_challenge: 'short' }],
      ['invalid_request', { code_challenge_method: 'S512' }],
      ['invalid_target', { resource: 'https://elsewhere.example/mcp' }],
      ['request_not_supported', { request: 'x.y.z' }],
      ['request_uri_not_supported', { request_uri: 'https://evil.example/r' }],
      ['invalid_request', { response_mode: 'fragment' }],
    ];
    for (const [error, overrides] of table) {
      const sent = signIn(clientId, world.server.resource, overrides);
      const answer = await gate.ask(sent.path, { headers: html });
      const target = new URL(answer.headers.location as string);
      expect([
        answer.status,
        target.searchParams.get('error'),
        target.searchParams.get('state'),
        target.searchParams.get('iss'),
      ]).toEqual([303, error, sent.state, gate.issuer]);
      expect(target.searchParams.get('code')).toBeNull();
    }
    const hosted = await fresh({
      redirect_uris: ['https://evil.example/cb'],
      token_endpoint_auth_method: 'none',
    });
    const answer = await gate.ask(
      signIn(hosted, world.server.resource, { redirect_uri: 'https://evil.example/cb', response_type: 'x' })
        .path,
      { headers: html },
    );
    expect([answer.status, answer.headers.location]).toEqual([400, undefined]);
  });

  test('a parameter given twice is refused, without redirect when it makes the redirect ambiguous', async () => {
    const clientId = await fresh();
    const { path } = signIn(clientId, world.server.resource);
    for (const twice of [
      'client_id=other',
      `client_id=${clientId}`,
      'redirect_uri=https%3A%2F%2Fevil.example%2Fcb',
    ]) {
      const answer = await gate.ask(`${path}&${twice}`, { headers: html });
      expect([twice, answer.status, answer.headers.location]).toEqual([twice, 400, undefined]);
    }
    for (const twice of ['scope=a&scope=b', 'response_type=code', 'code_challenge=x', 'state=y']) {
      const answer = await gate.ask(`${path}&${twice}`, { headers: html });
      expect(new URL(answer.headers.location as string).searchParams.get('error')).toBe('invalid_request');
    }
  });

  test('nothing a request says is written into the page as markup, and a huge state is refused (T88)', async () => {
    const nasty = '"><script>alert(1)</script>';
    const answer = await gate.ask(
      `/authorize?client_id=${encodeURIComponent(nasty)}&state=${encodeURIComponent(nasty)}`,
      { headers: html },
    );
    expect(answer.status).toBe(400);
    expect(answer.text).not.toContain('<script');
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    const huge = await gate.ask(
      signIn(await fresh(), world.server.resource, { state: 'x'.repeat(4_000) }).path,
      { headers: html },
    );
    expect([huge.status, huge.headers.location]).toEqual([400, undefined]);
  });
});

describe('unapproved clients obtain nothing by any way in (T01, T35)', () => {
  test('every grant, listed or not, refuses a quarantined and a pending client without telling it to register again', async () => {
    const quarantined = await fresh();
    const pending = (await claimed()).clientId;
    for (const clientId of [quarantined, pending]) {
      const grants: Record<string, string>[] = [
        {
          grant_type: 'authorization_code',
          code: 'csc_x',
          code_verifier: 'v'.repeat(43),
          redirect_uri: 'http://127.0.0.1:50123/callback',
        },
        { grant_type: 'refresh_token', refresh_token: 'csr_x' },
        { grant_type: 'client_credentials' },
        { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: 'x' },
        { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: 'a.b.c' },
        { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token: 'x' },
        { grant_type: 'password', username: 'a', password: 'b' },
      ];
      for (const body of grants) {
        const answer = await gate.ask('/token', {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: new URLSearchParams({
            client_id: clientId,
            resource: world.server.resource,
            ...body,
          }).toString(),
        });
        expect(answer.status).toBe(400);
        expect(answer.json().error).not.toBe('invalid_client');
        if (body.grant_type !== 'client_credentials')
          expect(answer.json().error).not.toBe('unauthorized_client');
        expect(answer.text).not.toContain('access_token');
      }
    }
    expect(
      await gate.database.db.prisma.credential.count({ where: { clientId: { in: [quarantined, pending] } } }),
    ).toBe(0);
    expect((await gate.ask('/device_authorization', { method: 'POST' })).status).toBe(404);
  });

  test('ids are made by the server and spelled one way', async () => {
    const clientId = await fresh();
    expect(clientId).toMatch(/^client_[0-9a-f]{32}$/);
    for (const id of [
      clientId.toUpperCase(),
      `${clientId} `,
      `${clientId}%00`,
      world.olive.personId,
      'https://claude.ai',
      'http://claude.ai/x',
      'HTTPS://claude.ai/oauth/x',
    ]) {
      expect((await gate.ask(signIn(id, world.server.resource).path, { headers: html })).status).toBe(400);
    }
  });
});

describe('a client that names no server', () => {
  test('is claimed for the server its owner chooses, and goes on to the one its agent has', async () => {
    const second = await createMcpServer(world.as(world.ava), [{ name: 'list_tickets' }]);
    const anywhere = (clientId: string) => signIn(clientId, '').path.replace(/&?resource=[^&]*/, '');
    const clientId = await fresh();
    const handle = await openInBrowser(gate, anywhere(clientId));
    const ctx = world.as(world.olive);
    const opened = await openHandle(ctx, { handle });
    expect(opened).toMatchObject({ standing: 'unclaimed', server: null });
    const content = { handle, claimKey: opened.claimKey, ...(await claimContent(world)) };
    await expect(submitClaim(ctx, content)).rejects.toMatchObject({
      code: 'invalid',
      detail: { issues: [{ path: 'serverId' }] },
    });
    const claimedHere = await submitClaim(ctx, { ...content, serverId: world.server.serverId });
    await approve(world, claimedHere);
    const again = await openInBrowser(gate, anywhere(clientId));
    const known = await openHandle(ctx, { handle: again });
    expect(known).toMatchObject({ standing: 'approved', server: { id: world.server.serverId } });
    const { transactionId } = await continueApproved(ctx, { handle: again, claimKey: known.claimKey });
    const transaction = await gate.database.db.prisma.authorizationTransaction.findUniqueOrThrow({
      where: { id: transactionId },
    });
    expect(transaction.resource).toBe(world.server.resource);
    const other = await openInBrowser(gate, signIn(clientId, second.resource).path);
    expect((await openHandle(ctx, { handle: other })).standing).toBe('approved elsewhere');
  });
});

describe('client metadata documents (T56, T57, T75)', () => {
  let host: Server;
  let origin: string;
  let answer: (path: string) => { status?: number; headers?: Record<string, string>; body: string | Buffer };
  const asked: string[] = [];

  beforeAll(async () => {
    host = createServer((incoming, outgoing) => {
      asked.push(incoming.url ?? '');
      const {
        status = 200,
        headers = { 'content-type': 'application/json' },
        body,
      } = answer(incoming.url ?? '');
      outgoing.writeHead(status, headers);
      outgoing.end(body);
    });
    await new Promise<void>((resolve) => host.listen(4550, '127.0.0.1', resolve));
    origin = 'http://127.0.0.1:4550';
  });
  afterAll(() => new Promise<void>((resolve) => host.close(() => resolve())));
  beforeEach(() => {
    asked.length = 0;
  });

  const document = (path: string, overrides: object = {}) =>
    JSON.stringify({
      client_id: `${origin}${path}`,
      client_name: 'Claude Code',
      redirect_uris: ['http://localhost/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
      ...overrides,
    });
  const at = (path: string, overrides: Record<string, string> = {}) =>
    signIn(`${origin}${path}`, world.server.resource, {
      redirect_uri: 'http://localhost:50123/callback',
      ...overrides,
    }).path;

  test('first seen at the authorization endpoint it is quarantined like any other, per owner, never exclusively', async () => {
    answer = (path) => ({ body: document(path) });
    const before = await gate.database.db.prisma.client.count();
    const handle = await openInBrowser(gate, at('/shared.json'));
    expect(await gate.database.db.prisma.client.count()).toBe(before);
    const opened = await openHandle(world.as(world.olive), { handle });
    expect(opened.standing).toBe('unclaimed');
    expect(opened.client).toMatchObject({ redirectPlace: 'this computer', kind: 'metadata document' });
    expect(opened.facts.find((fact) => fact.kind === 'metadata document')).toMatchObject({
      status: 'proved',
      value: { host: '127.0.0.1:4550' },
    });
    expect(opened.facts.find((fact) => fact.kind === 'redirect')?.method).toMatch(
      /any program on the owner’s computer/,
    );
    expect(opened.facts.find((fact) => fact.kind === 'name resemblance')?.status).toBe('claimed');
    const mine = await claim(world, world.olive, handle);
    const theirs = await claim(world, world.oscar, await openInBrowser(gate, at('/shared.json')));
    expect(mine.agentId).not.toBe(theirs.agentId);
    await approve(world, mine);
    expect(
      (await continueTransaction(world.as(world.olive), { transactionId: mine.transactionId })).location,
    ).toMatch(/code=/);
    expect(
      (await continueTransaction(world.as(world.oscar), { transactionId: theirs.transactionId })).location,
    ).toBeNull();
  });

  test('documents that break a rule are refused and not kept', async () => {
    const table: Record<
      string,
      () => { status?: number; headers?: Record<string, string>; body: string | Buffer }
    > = {
      '/mismatch': () => ({ body: document('/other') }),
      '/mismatch-slash': () => ({ body: document('/mismatch-slash/') }),
      '/not-json': () => ({ body: '<html>' }),
      '/wrong-type': () => ({ headers: { 'content-type': 'text/html' }, body: document('/wrong-type') }),
      '/no-type': () => ({ headers: {}, body: document('/no-type') }),
      '/not-found': () => ({ status: 404, body: document('/not-found') }),
      '/error': () => ({ status: 500, body: document('/error') }),
      '/created': () => ({ status: 201, body: document('/created') }),
      '/moved': () => ({ status: 302, headers: { location: `${origin}/shared.json` }, body: '' }),
      '/moved-here': () => ({ status: 308, headers: { location: '/shared.json' }, body: '' }),
      '/large': () => ({ body: document('/large', { pad: 'x'.repeat(6_000) }) }),
      '/gzip': () => ({
        headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
        body: Buffer.from('1f8b08', 'hex'),
      }),
      '/secret': () => ({ body: document('/secret', { client_secret: 'abc' }) }),
      '/secret-method': () => ({
        body: document('/secret-method', { token_endpoint_auth_method: 'client_secret_basic' }),
      }),
      '/secret-post': () => ({
        body: document('/secret-post', { token_endpoint_auth_method: 'client_secret_post' }),
      }),
      '/secret-expiry': () => ({ body: document('/secret-expiry', { client_secret_expires_at: 0 }) }),
      '/bad-redirect': () => ({
        body: document('/bad-redirect', { redirect_uris: ['javascript:alert(1)'] }),
      }),
      '/no-redirect': () => ({ body: document('/no-redirect', { redirect_uris: [] }) }),
      '/http-redirect': () => ({
        body: document('/http-redirect', { redirect_uris: ['http://evil.example/cb'] }),
      }),
      '/console-redirect': () => ({
        body: document('/console-redirect', { redirect_uris: ['https://countersign.localhost/cb'] }),
      }),
      '/duplicate': () => ({
        body: `{"client_id":"${origin}/duplicate","client_id":"${origin}/duplicate","redirect_uris":["http://localhost/callback"]}`,
      }),
      '/proto': () => ({
        body: `{"__proto__":{},"client_id":"${origin}/proto","redirect_uris":["http://localhost/callback"]}`,
      }),
      '/array': () => ({ body: `[${document('/array')}]` }),
      '/null': () => ({ body: 'null' }),
      '/utf8': () => ({
        body: Buffer.concat([Buffer.from(document('/utf8').slice(0, -1)), Buffer.from([0xff, 0x7d])]),
      }),
      '/bom': () => ({ body: `\ufeff${document('/bom')}` }),
      '/private-key': () => ({
        body: document('/private-key', {
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43), d: 'A'.repeat(43) }] },
        }),
      }),
      '/no-keys': () => ({ body: document('/no-keys', { token_endpoint_auth_method: 'private_key_jwt' }) }),
    };
    answer = (path) => (table[path] as () => { body: string })();
    for (const path of Object.keys(table)) {
      for (let round = 0; round < 2; round++) {
        const page = await gate.ask(at(path), { headers: html });
        expect([path, page.status, page.headers.location]).toEqual([path, 400, undefined]);
      }
      expect([path, asked.filter((one) => one === path).length]).toEqual([path, 2]);
    }
  });

  test('addresses that are not allowed are not asked, and answer alike', async () => {
    answer = () => ({ body: '{}' });
    const texts = new Set<string>();
    for (const id of [
      `${origin}`,
      `${origin}/`,
      `${origin}/a/../b`,
      `${origin}/a//b`,
      `${origin}/a#b`,
      'http://user@127.0.0.1:4550/x',
      'http://127.1:4550/x',
      'https://127.0.0.1.:4550/x',
      'http://10.0.0.1/x',
      'https://10.0.0.1/x',
      'https://169.254.169.254/latest',
      'https://[::ffff:127.0.0.1]:4550/x',
      'https://192.168.1.1/x',
      'http://example.com/x',
      'https://localhost.evil.invalid/x',
      'HTTP://127.0.0.1:4550/x',
      'https://[fd00::1]/x',
      'https://100.64.0.1/x',
    ]) {
      const page = await gate.ask(signIn(id, world.server.resource).path, { headers: json });
      expect([id, page.status]).toEqual([id, 400]);
      texts.add(String(page.json().error_description));
    }
    expect(asked).toEqual([]);
    expect(texts.size).toBeLessThanOrEqual(4);
  });

  test('a changed document is recorded once, stops what was approved on the old one, and changing back lifts nothing', async () => {
    let name = 'Vendor';
    let redirects = ['http://localhost/callback'];
    let logo = 'https://vendor.example/1.png';
    answer = (path) => ({
      body: document(path, { client_name: name, redirect_uris: redirects, logo_uri: logo }),
    });
    const first = await claim(world, world.olive, await openInBrowser(gate, at('/drift.json')));
    await approve(world, first);
    const { prisma } = gate.database.db;
    const clientId = `${origin}/drift.json`;
    const see = async () => {
      clock.advanceSeconds(6 * 60);
      return openHandle(world.as(world.olive), { handle: await openInBrowser(gate, at('/drift.json')) });
    };
    const versions = () =>
      prisma.auditEvent.count({ where: { kind: 'client.metadata_change', subjectId: clientId } });
    expect((await see()).standing).toBe('approved');
    expect(await versions()).toBe(0);
    logo = 'https://vendor.example/2.png';
    expect((await see()).standing).toBe('approved');
    expect(await versions()).toBe(1);
    redirects = ['http://localhost/callback', 'https://evil.example/cb'];
    expect((await see()).standing).toBe('metadata changed');
    expect((await see()).standing).toBe('metadata changed');
    expect(await versions()).toBe(2);
    const [instance] = await prisma.instance.findMany({ where: { clientId } });
    expect(instance).toMatchObject({ state: 'suspended', stateCause: 'metadata changed' });
    redirects = ['http://localhost/callback'];
    expect((await see()).standing).toBe('metadata changed');
    expect(await versions()).toBe(3);
    const again = await claim(world, world.olive, await openInBrowser(gate, at('/drift.json')));
    expect(again.state).toBe('submitted');
    const states = await prisma.instance.findMany({ where: { clientId }, orderBy: { createdAt: 'asc' } });
    expect(states.map((row) => row.state)).toEqual(['expired', 'quarantined']);
    name = 'unused';
  });
});
