import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { approveRequest, approveRequestInput } from '#lib/approvals/approve-request.ts';
import { beginApproval } from '#lib/approvals/signed-approval.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import {
  buildRequestsWorld,
  digestNow,
  fileRequest,
  type RequestsWorld,
  stateOf,
} from '../../tests/requests-world.ts';
import { addCommandLineKey } from './command-line-keys.ts';
import { signStatement } from './command-line-signing.ts';
import { removeKey } from './person-keys.ts';

let database: TestDatabase;
let world: RequestsWorld;
beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 1 });
  world = await buildRequestsWorld(database.db);
});
afterAll(() => database?.drop());

function newKey(kind: 'ed25519' | 'P-256' = 'ed25519'): { privateJwk: JsonWebKey; publicKey: string } {
  const pair =
    kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: kind });
  return {
    privateJwk: pair.privateKey.export({ format: 'jwk' }),
    publicKey: JSON.stringify(pair.publicKey.export({ format: 'jwk' })),
  };
}

const token = (who: 'ava' | 'abel' = 'ava') => world.as({ ...world[who], via: 'token', sessionId: null });

async function filed() {
  const request = await fileRequest(world);
  return { requestId: request.id, snapshotDigest: await digestNow(world, request.id) };
}
const decide = (input: object, who: 'ava' | 'abel' = 'ava') =>
  approveRequest(token(who), approveRequestInput.parse(input));

describe('registering', () => {
  test('keeps the public half with its event; needs a fresh proof, and never an API token', async () => {
    const { publicKey } = newKey();
    const stale = world.as({ ...world.ava, elevatedAt: null });
    await expect(addCommandLineKey(stale, { name: 'x', publicKey })).rejects.toMatchObject({
      code: 'step_up_required',
    });
    await expect(addCommandLineKey(token(), { name: 'x', publicKey })).rejects.toMatchObject({
      code: 'forbidden',
    });
    const owner = world.as({ ...world.ava, roles: ['owner', 'admin'] });
    await expect(addCommandLineKey(owner, { name: 'x', publicKey })).rejects.toMatchObject({
      code: 'forbidden',
      detail: { missingRole: ['approver'] },
    });
    const { keyId } = await addCommandLineKey(world.as(world.ava), { name: 'Terminal', publicKey });
    const event = await database.db.prisma.auditEvent.findFirstOrThrow({ where: { subjectId: keyId } });
    expect(event).toMatchObject({
      kind: 'person_key.add',
      actorId: world.ava.personId,
      data: { kind: 'command line' },
    });
    await expect(addCommandLineKey(world.as(world.abel), { name: 'Mine', publicKey })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' });
  test.each([
    ['no JSON', 'ssh-ed25519 AAAA', /not a JSON Web Key/],
    ['nothing', 'null', /not a JSON Web Key/],
    ['a private key', JSON.stringify(newKey().privateJwk), /private half/],
    ['an RSA key', JSON.stringify(rsa), /Ed25519 or a P-256/],
    ['another curve', '{"kty":"EC","crv":"P-384","x":"AA","y":"AA"}', /Ed25519 or a P-256/],
    ['a point off the curve', '{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}', /do not make one/],
  ])('refuses %s', async (_, publicKey, message) => {
    await expect(addCommandLineKey(world.as(world.ava), { name: 'x', publicKey })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(message),
    });
  });
});

describe.each(['ed25519', 'P-256'] as const)('an approval signed with an %s key', (kind) => {
  test('goes in by an API token, whatever its risk, and is stored with the vote', async () => {
    const { privateJwk, publicKey } = newKey(kind);
    const { keyId } = await addCommandLineKey(world.as(world.ava), { name: kind, publicKey });
    const request = await filed();
    await expect(decide(request)).rejects.toMatchObject({ code: 'forbidden' });
    const { statement, passkey } = await beginApproval(token(), request);
    expect(passkey).toBeNull();
    const signature = signStatement(privateJwk, statement);
    expect((await decide({ ...request, signature })).state).toBe('approved');
    expect((await stateOf(world, request.requestId)).votes).toMatchObject([{ keyId, signature }]);
  });

  test('is refused over other words, by another’s key, altered, or once the key was removed', async () => {
    const { privateJwk, publicKey } = newKey(kind);
    const { keyId } = await addCommandLineKey(world.as(world.ava), { name: kind, publicKey });
    const [request, other] = [await filed(), await filed()];
    const right = signStatement(privateJwk, (await beginApproval(token(), request)).statement);
    const refused = { code: 'forbidden', detail: { signature: 'refused' } };
    const over = signStatement(privateJwk, (await beginApproval(token(), other)).statement);
    await expect(decide({ ...request, signature: over })).rejects.toMatchObject(refused);
    await expect(decide({ ...request, signature: right, lifetimeSeconds: 3600 })).rejects.toMatchObject(
      refused,
    );
    await expect(decide({ ...request, signature: right }, 'abel')).rejects.toMatchObject(refused);
    const stranger = signStatement(
      newKey(kind).privateJwk,
      (await beginApproval(token(), request)).statement,
    );
    await expect(decide({ ...request, signature: stranger })).rejects.toMatchObject(refused);
    const [header = '', payload = '', signed = ''] = right.jws.split('.');
    const said = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
    for (const change of [{ alg: 'none' }, { alg: 'HS256' }, { typ: 'JWT' }, { kid: 'another' }]) {
      const forged = Buffer.from(JSON.stringify({ ...said, ...change })).toString('base64url');
      const signature = { by: 'command line', jws: `${forged}.${payload}.${signed}` };
      await expect(decide({ ...request, signature })).rejects.toMatchObject(refused);
    }
    await removeKey(world.as(world.ava), { keyId });
    await expect(decide({ ...request, signature: right })).rejects.toMatchObject(refused);
    expect((await stateOf(world, request.requestId)).votes).toEqual([]);
  });
});

test('a reinstatement asks for the person themselves: an API token gives none back, signed or not', async () => {
  const { privateJwk, publicKey } = newKey();
  await addCommandLineKey(world.as(world.abel), { name: 'Terminal', publicKey });
  const first = await filed();
  const { statement } = await beginApproval(token('abel'), first);
  const { agentId } = await decide({ ...first, signature: signStatement(privateJwk, statement) }, 'abel');
  const { suspendAgent, stopAgentInput } = await import('#lib/revocation/stop-agent.ts');
  await suspendAgent(
    world.as(world.ava),
    stopAgentInput.parse({ agentId, cause: 'administrative', reason: 'A look' }),
  );
  const { createRequest, createRequestInput } = await import('#lib/approvals/create-request.ts');
  const { id } = await createRequest(
    world.as(world.olive),
    createRequestInput.parse({ kind: 'reinstate', agentId, reason: 'It was fine', submit: true }),
  );
  const request = { requestId: id, snapshotDigest: await digestNow(world, id) };
  const signature = signStatement(privateJwk, (await beginApproval(token('abel'), request)).statement);
  await expect(decide({ ...request, signature }, 'abel')).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringMatching(/in the browser/),
  });
});
