import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addPasskey, beginPasskey, removeKey } from '#lib/access/person-keys.ts';
import type { Signature } from '#lib/access/signatures.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { passkeyOf, signWith } from '../../tests/approvals.ts';
import { Authenticator } from '../../tests/authenticator.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  fileRequest,
  type RequestsWorld,
  stateOf,
} from '../../tests/requests-world.ts';
import { approveRequest, approveRequestInput } from './approve-request.ts';
import { editRequest, editRequestInput } from './edit-request.ts';
import { beginApproval } from './signed-approval.ts';

let database: TestDatabase;
let world: RequestsWorld;
let ava: Ctx;
beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 1 });
  world = await buildRequestsWorld(database.db);
  ava = world.as(world.ava);
});
afterAll(() => database?.drop());

async function filed(tools?: string[]) {
  const request = await fileRequest(world, tools ? { tools } : {});
  return { requestId: request.id, snapshotDigest: await digestNow(world, request.id) };
}

const decide = (ctx: Ctx, input: object) => approveRequest(ctx, approveRequestInput.parse(input));

/** What a passkey of ava's answers to the challenge she is given for this request. */
async function answered(request: { requestId: string; snapshotDigest: string }, options = {}) {
  const { authenticator } = await passkeyOf(ava, world.ava.personId);
  const { passkey } = await beginApproval(ava, request);
  if (!passkey) throw new Error('no passkey was asked');
  return { by: 'passkey', assertion: authenticator.get(passkey, options) } as Signature;
}

test('an approval of writing takes a signature, and keeps it with the vote and the key in the event', async () => {
  const request = await filed();
  await expect(decide(ava, request)).rejects.toMatchObject({
    code: 'forbidden',
    detail: { signature: 'missing' },
  });
  const signature = await answered(request);
  const approved = await decide(ava, { ...request, signature });
  expect(approved.state).toBe('approved');
  const { keyId } = await passkeyOf(ava, world.ava.personId);
  const { votes } = await stateOf(world, request.requestId);
  expect(votes).toMatchObject([{ keyId, signature, grantedDigest: approved.grantedDigest }]);
  const event = await database.db.prisma.auditEvent.findFirstOrThrow({
    where: { requestRef: request.requestId, kind: 'request.vote' },
  });
  expect(event).toMatchObject({ actorId: world.ava.personId, data: { keyId, signedBy: 'passkey' } });
});

test('an approval of reading alone needs none, and neither does what was narrowed to it', async () => {
  const reading = await filed(['list_notes']);
  expect(await beginApproval(ava, reading)).toMatchObject({ needsSignature: false, passkey: null });
  expect((await decide(ava, reading)).state).toBe('approved');
  const narrowed = await filed(['list_notes', 'write_note']);
  expect((await decide(ava, { ...narrowed, toolLines: ['list_notes'] })).narrowed).toBe(true);
});

test('the statement says the decision, the digest as granted, the request and the revision, in one form', async () => {
  const request = await filed();
  const { statement, grantedDigest } = await beginApproval(ava, { ...request, toolLines: ['write_note'] });
  expect(grantedDigest).not.toBe(request.snapshotDigest);
  expect(statement).toBe(
    `{"decision":"approve","grantedDigest":"${grantedDigest}","requestId":"${request.requestId}","revision":1}`,
  );
});

describe('refuses', () => {
  test.each([
    ['what was signed on another page', { origin: 'http://evil.localhost:3000' }],
    ['what was signed for another relying party', { rpId: 'evil.localhost' }],
    ['what was signed without knowing the person', { verified: false }],
  ])('%s', async (_, options) => {
    const request = await filed();
    const signature = await answered(request, options);
    await expect(decide(ava, { ...request, signature })).rejects.toMatchObject({
      code: 'forbidden',
      detail: { signature: 'refused' },
    });
    expect((await stateOf(world, request.requestId)).votes).toEqual([]);
  });

  test('a signature over another request, over less, or over more than what is granted', async () => {
    const [request, other] = [await filed(), await filed()];
    const signature = await answered(other);
    await expect(decide(ava, { ...request, signature })).rejects.toMatchObject({ code: 'conflict' });
    const whole = await answered(request);
    await expect(
      decide(ava, { ...request, toolLines: ['write_note'], signature: whole }),
    ).rejects.toMatchObject({ code: 'conflict' });
    await expect(decide(ava, { ...request, lifetimeSeconds: 3600, signature: whole })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect((await decide(ava, { ...request, signature: whole })).state).toBe('approved');
  });

  test('a signature over the words before an edit', async () => {
    const request = await filed();
    const signature = await answered(request);
    const changes = { requestId: request.requestId, lifetimeSeconds: 7200 };
    await editRequest(world.as(world.olive), editRequestInput.parse(changes));
    await expect(decide(ava, { ...request, signature })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
    const snapshotDigest = await digestNow(world, request.requestId);
    await expect(decide(ava, { ...request, snapshotDigest, signature })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  test('the challenge of another session, one nobody gave, and one that is too old', async () => {
    const request = await filed();
    const signature = await answered(request);
    const elsewhere = world.as({ ...world.ava, sessionId: 'ses_elsewhere' });
    await expect(decide(elsewhere, { ...request, signature })).rejects.toMatchObject({ code: 'conflict' });
    world.clock.advanceSeconds(301);
    await expect(decide(ava, { ...request, signature })).rejects.toMatchObject({ code: 'conflict' });
    const unasked = await filed();
    const { statement } = await beginApproval(world.as(world.abel), unasked);
    const signer = await passkeyOf(ava, world.ava.personId);
    await expect(
      decide(ava, { ...unasked, signature: await signWith(signer, statement) }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });

  test('somebody else’s passkey, and a passkey that was removed before the decision', async () => {
    const request = await filed();
    const abels = await passkeyOf(ava, world.abel.personId);
    const { passkey } = await beginApproval(ava, request);
    const theirs = { by: 'passkey', assertion: abels.authenticator.get(passkey as never) };
    await expect(decide(ava, { ...request, signature: theirs })).rejects.toMatchObject({ code: 'forbidden' });
    const abel = world.as(world.abel);
    const authenticator = new Authenticator(abel.site.consoleOrigin);
    const response = authenticator.create(await beginPasskey(abel));
    const { keyId } = await addPasskey(abel, { name: 'Lost', response });
    const begun = await beginApproval(abel, request);
    await removeKey(abel, { keyId });
    const late = { by: 'passkey', assertion: authenticator.get(begun.passkey as never) };
    await expect(decide(abel, { ...request, signature: late })).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('a passkey that counts backwards, and keeps that although nothing else of the decision stays', async () => {
    const abel = world.as(world.abel);
    const authenticator = new Authenticator(abel.site.consoleOrigin);
    const response = authenticator.create(await beginPasskey(abel));
    const { keyId } = await addPasskey(abel, { name: 'Counter', response });
    const [first, second] = [await filed(), await filed()];
    for (const [request, signCount] of [
      [first, 7],
      [second, 7],
    ] as const) {
      const { passkey } = await beginApproval(abel, request);
      const assertion = authenticator.get(passkey as never, { signCount });
      const decision = decide(abel, { ...request, signature: { by: 'passkey', assertion } });
      if (request === first) await decision;
      else await expect(decision).rejects.toMatchObject({ code: 'forbidden' });
    }
    expect(
      await database.db.prisma.auditEvent.count({ where: { kind: 'person_key.refuse', subjectId: keyId } }),
    ).toBe(1);
  });

  test('whoever may not decide, and an API token with what a passkey signed', async () => {
    const request = await filed();
    await expect(beginApproval(world.as(world.olive), request)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(beginApproval(world.as(world.audrey), request)).rejects.toMatchObject({ code: 'forbidden' });
    const signature = await answered(request);
    const token = world.as({ ...world.ava, via: 'token', sessionId: null });
    await expect(decide(token, { ...request, signature })).rejects.toMatchObject({ code: 'forbidden' });
  });
});

test('of two that bring the same signature one decides', async () => {
  const request = await filed();
  const signature = await answered(request);
  const settled = await Promise.allSettled([
    decide(ava, { ...request, signature }),
    decide(ava, { ...request, signature }),
  ]);
  expect(settled.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const lost = settled.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
  expect(lost.reason).toMatchObject({ code: 'conflict' });
});

test('where two have to agree, each signs what they grant, and one signature does not do for both', async () => {
  const { id: requestId } = await fileRequest(world, {
    tools: ['delete_note', 'list_notes'],
    dataClass: 'restricted',
  });
  const request = { requestId, snapshotDigest: await digestNow(world, requestId) };
  const first = await decide(ava, {
    ...request,
    lifetimeSeconds: 3600,
    signature: await signedBy(ava, request, 3600),
  });
  expect(first).toMatchObject({ state: 'submitted', votes: 1, requiredApprovals: 2 });
  const abel = world.as(world.abel);
  await expect(decide(abel, request)).rejects.toMatchObject({ detail: { signature: 'missing' } });
  const { votes } = await stateOf(world, requestId);
  await expect(decide(abel, { ...request, signature: votes[0]?.signature })).rejects.toMatchObject({
    code: 'conflict',
  });
  const second = await decide(abel, { ...request, signature: await signedBy(abel, request) });
  expect(second).toMatchObject({ state: 'approved', grantedDigest: first.grantedDigest });
});

async function signedBy(
  ctx: Ctx,
  request: { requestId: string; snapshotDigest: string },
  lifetimeSeconds?: number,
): Promise<Signature> {
  const { personId } = ctx.actor as { personId: string };
  const signer = await passkeyOf(ctx, personId);
  const { statement } = await beginApproval(ctx, { ...request, lifetimeSeconds });
  return signWith(signer, statement);
}
