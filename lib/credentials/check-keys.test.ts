import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { anonymous, systemActor } from '#lib/platform/actor.ts';
import { openVault } from '#lib/platform/crypto.ts';
import { personActor, testCtx } from '../../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../../tests/database.ts';
import { readKeys, readKeyUse, readPublicKeys } from './read-keys.ts';
import { checkKeys, ensureSigningKeys, keyLifeDays } from './signing-keys.ts';

let database: TestDatabase;
const admin = () => testCtx(database.db, personActor('per_admin', ['admin']));
beforeAll(async () => {
  database = await createTestDatabase();
  await ensureSigningKeys(testCtx(database.db, systemActor('test')));
});
afterAll(() => database.drop());

test('only an admin has the seals checked, and only auditors and admins read keys', async () => {
  for (const role of ['owner', 'approver', 'auditor'] as const)
    await expect(checkKeys(testCtx(database.db, personActor('per_x', [role])))).rejects.toMatchObject({
      code: 'forbidden',
    });
  await expect(checkKeys(testCtx(database.db, anonymous))).rejects.toMatchObject({ code: 'unauthenticated' });
  const owner = testCtx(database.db, personActor('per_o', ['owner']));
  await expect(readKeyUse(owner)).rejects.toMatchObject({ code: 'forbidden' });
  await expect(readPublicKeys(owner)).rejects.toMatchObject({ code: 'forbidden' });
});

test('every key opens under its own key-encryption key, none under another, and a damaged one is named', async () => {
  const { keys } = await checkKeys(admin());
  expect(keys).toHaveLength(6);
  expect(keys.every((key) => key.opens)).toBe(true);
  const other = await checkKeys({ ...admin(), vault: openVault(randomBytes(32)) });
  expect(other.keys.every((key) => !key.opens)).toBe(true);
  const [damaged] = keys;
  await database.db.prisma.signingKey.update({
    where: { kid: damaged?.kid ?? '' },
    data: { publicJwk: { kty: 'OKP', crv: 'Ed25519', x: 'somebody else' } },
  });
  const after = await checkKeys(admin());
  expect(after.keys.filter((key) => !key.opens).map((key) => key.kid)).toEqual([damaged?.kid]);
  expect(JSON.stringify(after)).not.toMatch(/"d"|sealed/i);
});

test('what verifiers read holds no private half, and the key that signs says when it hands over', async () => {
  const published = await readPublicKeys(admin());
  expect(published.token.length).toBeGreaterThan(0);
  expect(JSON.stringify(published)).not.toMatch(/"d":/);
  const keys = await readKeys(admin());
  for (const key of keys) {
    const days =
      key.rotatesAt && key.activatedAt
        ? (Date.parse(key.rotatesAt) - Date.parse(key.activatedAt)) / 86_400_000
        : null;
    expect(days).toBe(key.state === 'active' ? keyLifeDays : null);
  }
});
