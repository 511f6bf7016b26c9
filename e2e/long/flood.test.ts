import { expect, test } from 'vitest';
import { openCrashTown } from '../support/crash-town.ts';

const posts = 100_000;
const networks = 1_000;
const atOnce = 48;
/** What the installation keeps of clients nobody claimed; its default. */
const unclaimedClients = 2_000;
/** A registration and its event take some four kilobytes: what the budgets let in, and not what was sent. */
const mostGrowthBytes = 64 * 1024 * 1024;

test('a hundred thousand registrations from a thousand networks leave bounded rows, and an approved agent is served throughout (T39)', {
  timeout: 1_200_000,
}, async () => {
  const town = await openCrashTown({ COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.0/8' });
  try {
    const filing = await town.prepareFiling('Honest agent');
    const filed = await town.file(filing, 'honest-agent');
    await town.approve(filed.requestId);
    const agent = {
      agentId: filed.agentId,
      clientId: await town.clientOf(filed.agentId),
      key: filing.key,
    };
    const size = async () => {
      const [row] = await town.sql<{ bytes: string }>('SELECT pg_database_size(current_database()) AS bytes');
      return Number(row?.bytes);
    };
    const bytesBefore = await size();

    const statuses = new Map<number, number>();
    let sent = 0;
    const body = JSON.stringify({ client_name: 'Flood', redirect_uris: ['http://127.0.0.1/callback'] });
    const flood = Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (sent < posts) {
          const network = sent++ % networks;
          const answer = await fetch(`${town.product.issuer}/register`, {
            method: 'POST',
            headers: {
              'content-type': 'application/json',
              'x-forwarded-for': `10.${network >> 8}.${network & 255}.7`,
            },
            body,
          });
          await answer.arrayBuffer();
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        }
      }),
    );
    let over = false;
    const floodOver = flood.finally(() => {
      over = true;
    });
    // Heard below; a mint that fails first must not leave it unheard.
    floodOver.catch(() => {});
    let served = 0;
    while (!over) {
      // Throws at anything but a token.
      await town.mint(agent);
      served++;
    }
    await floodOver;

    expect([...statuses.values()].reduce((sum, count) => sum + count, 0)).toBe(posts);
    // Registered, over a budget, or shed while the process was behind: never an error, never left unanswered.
    expect([...statuses.keys()].filter((status) => ![201, 429, 503].includes(status))).toEqual([]);
    expect(statuses.get(201)).toBeGreaterThan(0);
    expect(served).toBeGreaterThan(20);
    const [left] = await town.sql<{ living: number; all: number }>(
      `SELECT count(*) FILTER (WHERE claimed_at IS NULL AND forgotten_at IS NULL)::int AS living, count(*)::int AS all
         FROM client WHERE kind = 'dynamic'`,
    );
    expect(left?.living).toBeLessThanOrEqual(unclaimedClients + atOnce);
    expect(left?.all).toBe(statuses.get(201));
    expect((await size()) - bytesBefore).toBeLessThan(mostGrowthBytes);
    expect(await town.historyProblem()).toBeNull();
  } finally {
    await town.stop();
  }
});
