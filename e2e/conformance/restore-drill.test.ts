import { spawnSync } from 'node:child_process';
import { chmod, mkdtemp, open, readdir, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiToken } from '#lib/access/api-tokens.ts';
import { createResourceToken } from '#lib/credentials/resource-tokens.ts';
import type { Role } from '#lib/platform/actor.ts';
import { resumeIssuance } from '#lib/revocation/resume-issuance.ts';
import { personActor } from '../../tests/ctx.ts';
import { type Product, startProduct } from '../../tests/product.ts';
import { type CrashTown, type KeyedAgent, openCrashTown } from '../support/crash-town.ts';
import { type Host, onHost, runCommand, startCommand } from '../support/host.ts';

/**
 * The restore drill of docs/operations.md, on the whole product: what was revoked after the backup, and what was issued
 * after it, is worth nothing once the backup is restored; an admin resumes, and whoever was honest goes on (T32).
 */

let town: CrashTown;
let folder: string;
let restored: Product | null = null;
const agents: Record<string, KeyedAgent> = {};

beforeAll(async () => {
  town = await openCrashTown();
  folder = await mkdtemp(path.join(os.tmpdir(), 'countersign-drill-'));
  // Reachable by the account PostgreSQL runs as when the tests run as root.
  await chmod(folder, 0o711);
}, 240_000);
afterAll(async () => {
  await restored?.stop();
  const more = town ? after().dataFolder : folder;
  await town?.stop();
  await rm(more, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const before = (): Host => ({ port: town.product.port, dataFolder: town.product.dataFolder });
const after = (): Host => ({ port: town.product.port, dataFolder: `${town.product.dataFolder}-restored` });

async function approvedAgent(name: string): Promise<KeyedAgent> {
  const filing = await town.prepareFiling(name);
  const { requestId, agentId } = await town.file(filing, name);
  await town.approve(requestId);
  return { agentId, clientId: await town.clientOf(agentId), key: filing.key };
}

/** A person's API token, made where the host's own commands make links. */
const tokenOf = (host: Host, email: string, role: Role) =>
  onHost(host, async (ctx) => {
    const { id } = await ctx.db.prisma.person.findUniqueOrThrow({ where: { email } });
    const { token } = await createApiToken(
      { ...ctx, actor: personActor(id, [role], { elevatedAt: ctx.clock.now() }) },
      { name: 'Drill', days: 1 },
    );
    return token;
  });

async function introspect(asker: string, token: string): Promise<boolean> {
  const answer = await fetch(`${town.product.issuer}/introspect`, {
    method: 'POST',
    headers: { authorization: `Bearer ${asker}` },
    body: new URLSearchParams({ token }),
  });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { active: boolean }).active;
}

test('a backup restored into a new place revives nothing, and goes back to work when an admin says so', {
  timeout: 300_000,
}, async () => {
  agents.kept = await approvedAgent('kept');
  agents.ended = await approvedAgent('ended');
  const old = { kept: await town.mint(agents.kept), ended: await town.mint(agents.ended) };
  const asker = await onHost(before(), async (ctx) => {
    const { id } = await ctx.db.prisma.person.findUniqueOrThrow({ where: { email: 'adam@example.test' } });
    const actor = personActor(id, ['admin']);
    const input = { serverId: town.world.serverId, name: 'drill', lifetimeDays: 1 };
    return (await createResourceToken({ ...ctx, actor }, input)).token;
  });
  const file = path.join(folder, 'monday');
  const made = await runCommand(before(), 'backup', file);
  expect([made.output, made.code]).toEqual([expect.stringContaining('events in the log, root'), 0]);
  const verified = await runCommand(before(), 'verify', file);
  expect(verified).toMatchObject({ code: 0, output: expect.stringContaining('Its seal is that of the key') });

  // The lost time.
  await town.revoke(agents.ended.agentId);
  agents.later = await approvedAgent('later');
  const lost = { kept: await town.mint(agents.kept), later: await town.mint(agents.later) };
  expect(await introspect(asker, lost.kept.token)).toBe(true);
  await town.product.stop({ keepData: true });

  const result = await runCommand(before(), 'restore', file, '--into-new-folder', after().dataFolder);
  expect([result.output, result.code]).toEqual([expect.stringContaining('Ended for good'), 0]);
  restored = await startProduct({ port: town.product.port, dataFolder: after().dataFolder });

  for (const { token } of [old.kept, old.ended, lost.kept, lost.later])
    expect(await introspect(asker, token)).toBe(false);
  for (const agent of [agents.kept, agents.ended])
    await expect(town.mint(agent)).rejects.toThrow(/503.*temporarily_unavailable/);
  await expect(town.mint(agents.later)).rejects.toThrow(/invalid_client/);
  expect((await town.call('ava', 'GET', '/issuance')).status).toBe(401);
  expect((await town.call('olive', 'GET', '/issuance')).status).toBe(401);

  const admin = await tokenOf(after(), 'adam@example.test', 'admin');
  const asAdmin = (method: string, at: string, body?: object) =>
    fetch(`${town.product.issuer}/api/v1${at}`, {
      method,
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const issuance = (await (await asAdmin('GET', '/issuance')).json()) as { reason: string };
  expect(issuance.reason).toMatch(/A backup of .* was restored/);
  const reason = { reason: 'Compared with the log of the guards; `ended` was revoked again.' };
  expect((await asAdmin('POST', `/agents/${agents.ended.agentId}/revoke`, reason)).status).toBeLessThan(300);
  // A token can give no proof of who holds it: the admin says so in the console.
  expect((await asAdmin('POST', '/issuance/resume', reason)).status).toBe(403);
  await onHost(after(), async (ctx) => {
    const { id } = await ctx.db.prisma.person.findUniqueOrThrow({ where: { email: 'adam@example.test' } });
    await resumeIssuance(
      { ...ctx, actor: personActor(id, ['admin'], { elevatedAt: ctx.clock.now() }) },
      reason,
    );
  });

  const fresh = await town.mint(agents.kept);
  expect(await introspect(asker, fresh.token)).toBe(true);
  await expect(town.mint(agents.ended)).rejects.toThrow(/unauthorized_client|invalid_grant|invalid_client/);
  for (const { token } of [old.kept, old.ended, lost.kept, lost.later])
    expect(await introspect(asker, token)).toBe(false);
  // Those were presented, and no alarm they set off has killed what honest clients hold now.
  expect(await introspect(asker, fresh.token)).toBe(true);
  await restored.stop({ keepData: true });
  restored = null;
});

test('restoring over an installation, with another key, under another issuer or from a damaged file is refused in words', {
  timeout: 120_000,
}, async () => {
  const file = path.join(folder, 'monday');
  const refusal = async (host: Host, ...args: string[]) => {
    const { code, output } = await runCommand(host, ...args);
    expect(code).toBe(1);
    expect(output).not.toMatch(/\n\s+at /);
    return output;
  };
  expect(await refusal(after(), 'restore', file)).toMatch(/holds the installation http:\S+ already/);
  const empty = { port: town.product.port, dataFolder: path.join(folder, 'empty') };
  expect(await refusal(empty, 'restore', file)).toMatch(/key-encryption key .* is not here/);
  const otherKey = {
    COUNTERSIGN_KEY_ENCRYPTION_KEY: Buffer.from([...Array(32).keys()]).toString('base64url'),
  };
  expect(await refusal({ ...empty, environment: otherKey }, 'restore', file)).toMatch(
    /is not the one this backup was made with/,
  );
  expect(
    await refusal({ ...before(), port: 4859 }, 'restore', file, '--into-new-folder', empty.dataFolder),
  ).toMatch(/is of the issuer http:\S+, and this host is configured as http:\/\/localhost:4859/);
  expect(await refusal(before(), 'backup', file)).toMatch(/exists already/);
  expect(await refusal(before(), 'verify', path.join(folder, 'none'))).toMatch(/There is no file/);
  expect(await refusal(before(), 'restore')).toMatch(/countersign restore <file>/);
  const handle = await open(file, 'r+');
  const { size } = await handle.stat();
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, Math.floor(size / 2));
  await handle.write(Buffer.of((byte[0] as number) ^ 1), 0, 1, Math.floor(size / 2));
  expect(await refusal(before(), 'verify', file)).toMatch(/altered|does not hold|cannot be read/);
  expect(await refusal(empty, 'restore', file)).toMatch(/./);
  await handle.write(byte, 0, 1, Math.floor(size / 2));
  await handle.close();
  expect(await readdir(empty.dataFolder).catch(() => [])).not.toContain('postgres');
});

test('a backup or a restore that is killed leaves nothing that looks whole', {
  timeout: 300_000,
}, async () => {
  // Enough that either takes a while.
  await onHost(before(), async (ctx) => {
    await ctx.db.prisma.$executeRaw`INSERT INTO assertion_use (key, expires_at)
      SELECT repeat('x', 200) || n, now() + interval '1 day' FROM generate_series(1, 300000) n`;
  });
  const cut = path.join(folder, 'cut');
  const backup = startCommand(before(), ['backup', cut]);
  const unfinished = async () => {
    const name = (await readdir(folder)).find(
      (each) => each.startsWith('cut.') && each.endsWith('.unfinished'),
    );
    const found = name ? await stat(path.join(folder, name)).catch(() => null) : null;
    return name && (found?.size ?? 0) > 1_000_000 ? path.join(folder, name) : null;
  };
  while (!(await unfinished())) await sleep(5);
  backup.child.kill('SIGKILL');
  await backup.ended;
  expect(await stat(cut).catch(() => null)).toBeNull();
  const left = (await unfinished()) as string;
  expect(await runCommand(before(), 'verify', left)).toMatchObject({
    code: 1,
    output: expect.stringContaining('cut off'),
  });

  const large = path.join(folder, 'large');
  expect((await runCommand(before(), 'backup', large)).code).toBe(0);
  const target = { port: town.product.port, dataFolder: path.join(folder, 'killed') };
  const restore = startCommand(before(), ['restore', large, '--into-new-folder', target.dataFolder]);
  // The table that takes longest is being loaded when its mark is there and nothing of it is visible.
  const size = () =>
    Number.parseInt(
      spawnSync('du', ['-sm', path.join(target.dataFolder, 'postgres')], { encoding: 'utf8' }).stdout,
      10,
    ) || 0;
  let base = 0;
  while (base === 0 || size() < base + 40) {
    if (restore.child.exitCode !== null) throw new Error('the restore was over before it could be killed');
    if (base === 0 && (await stat(path.join(target.dataFolder, 'database-identifier')).catch(() => null)))
      base = size();
    await sleep(10);
  }
  restore.child.kill('SIGKILL');
  await restore.ended;
  await expect(startProduct(target)).rejects.toThrow(/A restore into this database was cut off/);
  const again = await runCommand(before(), 'restore', large, '--into-new-folder', target.dataFolder);
  expect([again.output, again.code]).toEqual([expect.stringContaining('Ended for good'), 0]);
  await (await startProduct(target)).stop({ keepData: true });
});
