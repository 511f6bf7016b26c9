import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { processIsAlive } from '../../server/processes.ts';
import { type Product, startProduct } from '../../tests/product.ts';

/** The product as an operator meets it: starts, ends, and what a kill at any moment leaves behind. */

let product: Product;

beforeAll(async () => {
  product = await startProduct();
});
afterAll(() => product.stop());

async function isReady(): Promise<boolean> {
  const answer = await fetch(`${product.issuer}/readyz`).catch(() => null);
  return answer?.status === 200;
}

async function until(holds: () => Promise<boolean>, withinMs: number): Promise<number> {
  const startedAt = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedAt > withinMs)
      throw new Error(`not within ${withinMs} ms:\n${product.output()}`);
    await sleep(50);
  }
  return performance.now() - startedAt;
}

describe('a start', () => {
  test('prints both names and a link for the first admin whose token is in the fragment', () => {
    expect(product.issuer).toBe(`http://localhost:${product.port}`);
    expect(product.consoleOrigin).toBe(`http://countersign.localhost:${product.port}`);
    expect(product.enrolLink).toMatch(/\/enrol#[\w-]{43}$/);
  });

  test('is ready: database, migrations, keys and jobs', async () => {
    const answer = await fetch(`${product.issuer}/readyz`);
    expect(await answer.json()).toMatchObject({
      status: 'ready',
      checks: { database: 'ok', migrations: 'ok', keys: 'ok', jobs: 'ok' },
    });
  });

  test('on a data folder in use says so and leaves the first alone', async () => {
    const second = startProduct({ dataFolder: product.dataFolder });
    await expect(second).rejects.toThrow(/already runs/);
    expect(await isReady()).toBe(true);
  });
});

describe('after a kill -9', () => {
  test('of PostgreSQL it runs again by itself', async () => {
    process.kill(await product.postgresPid(), 'SIGKILL');
    await until(async () => !(await isReady()), 5_000).catch(() => 0);
    await until(isReady, 30_000);
  });

  test('of the console it runs again by itself', async () => {
    const killed = await product.consolePid();
    process.kill(killed, 'SIGKILL');
    await until(async () => (await product.consolePid().catch(() => killed)) !== killed, 30_000);
    expect(await isReady()).toBe(true);
  });

  test('of Node the next start takes over, and no process is left behind', async () => {
    const [postgres, console] = [await product.postgresPid(), await product.consolePid()];
    await product.kill();
    product = await product.restart();
    expect(await isReady()).toBe(true);
    expect(await product.postgresPid()).not.toBe(postgres);
    await until(async () => !processIsAlive(console), 10_000);
  });
});

describe('SIGTERM', () => {
  test('ends every process; the second start knows its issuer and refuses another', async () => {
    const pids = [product.pid, await product.postgresPid(), await product.consolePid()];
    await product.stop({ keepData: true });
    expect(pids.filter(processIsAlive)).toEqual([]);
    const elsewhere = startProduct({ dataFolder: product.dataFolder, port: product.port + 7 });
    await expect(elsewhere).rejects.toThrow(/was set up as the issuer/);
    const demo = startProduct({ dataFolder: product.dataFolder, port: product.port, args: ['--demo'] });
    await expect(demo).rejects.toThrow(/holds a real installation/);
    product = await product.restart();
    expect(await isReady()).toBe(true);
  });
});

test('wrong settings are reported all at once, without their values', async () => {
  const environment = {
    LOG_LEVEL: 'loud',
    DATABASE_URL: 'mysql://root:hunter2@db/x',
    COUNTERSIGN_LISTEN: '0.0.0.0',
  };
  const refused = await startProduct({ environment }).catch((error: Error) => error.message);
  expect(refused).toMatch(/LOG_LEVEL/);
  expect(refused).toMatch(/DATABASE_URL/);
  expect(refused).not.toMatch(/hunter2/);
});
