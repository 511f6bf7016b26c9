import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureSigningKeys } from '#lib/credentials/signing-keys.ts';
import { systemClock } from '#lib/platform/clock.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { newId } from '#lib/platform/ids.ts';
import { testCtx } from '../tests/ctx.ts';
import { createTestDatabase, type TestDatabase } from '../tests/database.ts';
import { openDemoKeys } from './keys.ts';
import { personas } from './personas.ts';
import { seedDemo } from './seed.ts';

/** The example servers' tools that the story uses, with the classes their annotations propose. */
const catalogue = {
  Notes: {
    list_notes: 'read',
    read_note: 'read',
    write_note: 'write',
    delete_note: 'destructive',
    send_note: 'external',
  },
  Everything: { echo: 'unclassified' },
  Files: { list_directory: 'read', read_text_file: 'read', search_files: 'read' },
} as const;

let database: TestDatabase;
let folder: string;
let ctx: Ctx & { vault: NonNullable<Ctx['vault']> };

beforeAll(async () => {
  database = await createTestDatabase();
  const base = testCtx(database.db, undefined, { clock: systemClock });
  if (!base.vault) throw new TypeError('the test context has a vault');
  ctx = { ...base, vault: base.vault };
  const { prisma } = database.db;
  await prisma.installation.create({
    data: { id: 1, issuer: ctx.site.issuer, demo: true, createdAt: new Date() },
  });
  await ensureSigningKeys(ctx);
  const now = new Date();
  for (const [name, tools] of Object.entries(catalogue)) {
    const serverId = newId('server');
    await prisma.mcpServer.create({
      data: { id: serverId, name, resource: `http://127.0.0.1:1/${name}`, createdAt: now },
    });
    for (const [tool, proposedClass] of Object.entries(tools)) {
      const toolId = newId('tool');
      await prisma.tool.create({
        data: { id: toolId, serverId, name: tool, currentVersion: 1, firstSeenAt: now },
      });
      await prisma.toolVersion.create({
        data: {
          id: newId('toolVersion'),
          toolId,
          version: 1,
          inputSchema: {},
          definitionDigest: tool,
          proposedClass,
          proposedRisk: proposedClass === 'read' ? 'low' : 'high',
          proposedReason: '',
          seenAt: now,
        },
      });
    }
  }
  folder = await mkdtemp(path.join(os.tmpdir(), 'countersign-demo-'));
  await seedDemo(ctx, openDemoKeys(folder));
}, 120_000);
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

const statesOf = async (table: string, column = 'state') => {
  const { rows } = await database.db.hot.query(`SELECT DISTINCT ${column} AS state FROM ${table} ORDER BY 1`);
  return rows.map((row) => row.state);
};

test('the story covers every state of a request', async () => {
  expect(await statesOf('registration_request')).toEqual(
    ['approved', 'changes requested', 'draft', 'expired', 'rejected', 'submitted', 'withdrawn'].sort(),
  );
});

test('the story covers every state of agents and instances', async () => {
  expect(await statesOf('agent')).toEqual(['active', 'expired', 'pending', 'revoked', 'suspended']);
  expect(await statesOf('instance')).toEqual(
    expect.arrayContaining(['active', 'quarantined', 'revoked', 'suspended', 'rejected']),
  );
});

test('the story has tokens alive and ended, bindings replaced by nothing, and clients that nobody claimed', async () => {
  const { prisma } = database.db;
  expect(await prisma.credential.count({ where: { endCause: 'revoked' } })).toBeGreaterThan(0);
  expect(await prisma.credential.count()).toBeGreaterThanOrEqual(3);
  expect(await prisma.client.count({ where: { forgottenCause: 'unclaimed' } })).toBe(1);
  expect(await prisma.client.count({ where: { claimedAt: null, forgottenAt: null } })).toBe(3);
  expect(await prisma.revocation.count({ where: { sweptAt: { not: null } } })).toBe(2);
});

test('everyone of the story is there, and one has left', async () => {
  const people = await database.db.prisma.person.findMany();
  expect(people.filter((person) => person.state === 'active')).toHaveLength(personas.length);
  expect(people.filter((person) => person.state === 'deactivated')).toHaveLength(1);
});

test('nothing of the story lies in the future, and it began five weeks ago', async () => {
  const { rows } = await database.db.hot.query('SELECT min(at) AS first, max(at) AS last FROM audit_event');
  expect(rows[0].last.getTime()).toBeLessThanOrEqual(Date.now());
  expect(Date.now() - rows[0].first.getTime()).toBeGreaterThan(33 * 24 * 3600_000);
});

test('telling it again changes nothing', async () => {
  const before = await database.db.prisma.auditEvent.count();
  await seedDemo(ctx, openDemoKeys(folder));
  expect(await database.db.prisma.auditEvent.count()).toBe(before);
});
