import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { createResourceToken, createResourceTokenInput } from '#lib/credentials/resource-tokens.ts';
import { revealCredential } from '#lib/credentials/reveal-credential.ts';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemClock } from '#lib/platform/clock.ts';
import { randomToken, sha256 } from '#lib/platform/crypto.ts';
import { newId } from '#lib/platform/ids.ts';
import { createApprovedAgent } from '#tests/credentials-world.ts';
import { personActor, testCtx } from '#tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '#tests/database.ts';
import { addPerson } from '#tests/people.ts';
import { endLeakedSecret } from './end-leaked-secret.ts';

let database: TestDatabase;
let finder: Awaited<ReturnType<typeof addPerson>>;
let holder: Awaited<ReturnType<typeof addPerson>>;

beforeAll(async () => {
  database = await createTestDatabase({ prisma: 8, hot: 4, emergency: 1 });
  await ensureSigningKeys(as());
  finder = await addPerson(database.db, 'finder', ['owner']);
  holder = await addPerson(database.db, 'holder', ['owner']);
});
afterAll(() => database.drop());

const as = (actor?: Parameters<typeof testCtx>[1]) => testCtx(database.db, actor, { clock: systemClock });
const end = (secret: string) => endLeakedSecret(as(finder), { secret });
const eventsOf = (subjectId: string) =>
  database.db.prisma.auditEvent.findMany({ where: { subjectId }, orderBy: { id: 'desc' } });
const tokenOf = () =>
  createApiToken(as(personActor(holder.personId, ['owner'])), { name: 'nightly job', days: 30 });

/** An approved agent whose client has the secret, with a living sign-in. */
async function clientWithSecrets() {
  const agent = await createApprovedAgent(as());
  const secret = `css_${randomToken()}`;
  const registration = `csr_${randomToken()}`;
  await database.db.prisma.client.update({
    where: { id: agent.clientId },
    data: { secretDigest: sha256(secret), registrationTokenDigest: sha256(registration) },
  });
  const refresh = `csr_${randomToken()}`;
  const familyId = newId('family');
  const now = systemClock.now();
  const expiresAt = new Date(now.getTime() + 86_400_000);
  await database.db.prisma.refreshFamily.create({
    data: {
      id: familyId,
      clientId: agent.clientId,
      instanceId: agent.instanceId,
      agentId: agent.agentId,
      resource: agent.resource,
      serverId: agent.serverId,
      createdAt: now,
      state: 'live',
      tokens: { create: { tokenDigest: sha256(refresh), generation: 1, issuedAt: now, expiresAt } },
    },
  });
  return { ...agent, secret, registration, refresh, familyId };
}
const familyState = async (id: string) =>
  (await database.db.prisma.refreshFamily.findUniqueOrThrow({ where: { id } })).state;

describe('a secret of ours that leaked', () => {
  test('is ended by signed-in people only', async () => {
    const { token } = await tokenOf();
    for (const ctx of [as(), as({ kind: 'anonymous' }), as({ kind: 'client', clientId: 'client_x' })]) {
      await expect(endLeakedSecret(ctx, { secret: token })).rejects.toMatchObject({
        code: 'unauthenticated',
      });
    }
    expect((await end(token)).ended).toBe(true);
  });

  test('an API token of somebody else ends at once, once, with who found it recorded and its holder told', async () => {
    const { token, tokenId } = await tokenOf();
    const both = await Promise.all([end(token), end(token)]);
    expect(both.filter(({ ended }) => ended)).toHaveLength(1);
    expect(await end(token)).toEqual({ what: 'API token', ended: false });
    const row = await database.db.prisma.apiToken.findUniqueOrThrow({ where: { id: tokenId } });
    expect(row.endedAt).not.toBeNull();
    const [event] = await eventsOf(tokenId);
    expect(event).toMatchObject({
      kind: 'api_token.end',
      actorId: finder.personId,
      reason: 'reported as leaked',
    });
    expect(
      await database.db.prisma.notification.count({
        where: { personId: holder.personId, kind: 'api_token.end' },
      }),
    ).toBeGreaterThan(0);
  });

  test('a client secret ends with every sign-in of its client, and nobody else’s', async () => {
    const client = await clientWithSecrets();
    const other = await clientWithSecrets();
    expect(await end(client.secret)).toEqual({ what: 'client secret', ended: true });
    expect(await end(client.secret)).toMatchObject({ ended: false });
    expect(await familyState(client.familyId)).toBe('ended');
    expect(await familyState(other.familyId)).toBe('live');
    const [event] = await eventsOf(client.clientId);
    expect(event).toMatchObject({ kind: 'client.secret_end', actorId: finder.personId });
  });

  test('a refresh token takes its sign-in along', async () => {
    const client = await clientWithSecrets();
    expect(await end(client.refresh)).toEqual({ what: 'refresh token', ended: true });
    expect(await familyState(client.familyId)).toBe('ended');
    const [event] = await eventsOf(client.familyId);
    expect(event).toMatchObject({ kind: 'family.end', actorId: finder.personId });
  });

  test('a registration access token opens its registration no more; what was approved stays', async () => {
    const client = await clientWithSecrets();
    expect(await end(client.registration)).toEqual({ what: 'registration access token', ended: true });
    const row = await database.db.prisma.client.findUniqueOrThrow({ where: { id: client.clientId } });
    expect(row.registrationTokenDigest).toBeNull();
    expect(await familyState(client.familyId)).toBe('live');
  });

  test('a token an owner carries ends alone', async () => {
    const agent = await createApprovedAgent(as(), { clientClass: 'headless service' });
    const revealId = newId('reveal');
    const now = systemClock.now();
    await database.db.prisma.reveal.create({
      data: {
        id: revealId,
        agentId: agent.agentId,
        serverId: agent.serverId,
        ownerId: agent.ownerId,
        requestId: agent.requestId,
        createdAt: now,
        expiresAt: new Date(now.getTime() + 86_400_000),
        mintedCredentialIds: [],
      },
    });
    const revealed = await revealCredential(as(personActor(agent.ownerId, ['owner'])), { revealId });
    expect(await end(revealed.token)).toEqual({ what: 'access token', ended: true });
    expect(await end(revealed.token)).toEqual({ what: 'access token', ended: false });
    const row = await database.db.prisma.credential.findUniqueOrThrow({
      where: { id: revealed.credentialId },
    });
    expect(row).toMatchObject({ endCause: 'revoked' });
    const ended = (await eventsOf(revealed.credentialId)).find(({ kind }) => kind === 'credential.end');
    expect(ended).toMatchObject({ actorId: finder.personId, reason: 'reported as leaked' });
  });

  test('a token of an MCP server ends, with who found it recorded', async () => {
    const admin = await addPerson(database.db, 'admin', ['admin']);
    const { serverId } = await createApprovedAgent(as());
    const made = await createResourceToken(
      as(admin),
      createResourceTokenInput.parse({ serverId, name: 'introspection' }),
    );
    expect(await end(made.token)).toEqual({ what: 'token of an MCP server', ended: true });
    expect(await end(made.token)).toMatchObject({ ended: false });
    expect((await eventsOf(made.id))[0]).toMatchObject({
      kind: 'resource_token.end',
      actorId: finder.personId,
    });
  });

  test.each([
    `css_${'a'.repeat(43)}`,
    `csr_${'a'.repeat(43)}`,
    `crt_${'a'.repeat(43)}`,
    'eyJhbGciOiJub25lIn0.e30.',
  ])('what never lived changes nothing: %s', async (secret) => {
    const before = await database.db.prisma.auditEvent.count();
    expect((await end(secret)).ended).toBe(false);
    expect(await database.db.prisma.auditEvent.count()).toBe(before);
  });

  test('is nowhere in what is stored of its end', async () => {
    const client = await clientWithSecrets();
    await end(client.secret);
    const { rows } = await database.db.hot.query(
      "SELECT (SELECT count(*)::int FROM audit_event e WHERE e::text LIKE '%' || $1 || '%') + (SELECT count(*)::int FROM notification n WHERE n::text LIKE '%' || $1 || '%') AS n",
      [client.secret],
    );
    expect(rows[0].n).toBe(0);
  });
});
