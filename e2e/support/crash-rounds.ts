import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CrashTown,
  type Filing,
  type KeyedAgent,
  type MintedToken,
  openCrashTown,
  Refused,
} from './crash-town.ts';

/**
 * Rounds of work that is cut off at a random moment by a kill -9 of the gate or of PostgreSQL, each followed by a
 * comparison of what was acknowledged with what is there: no acknowledged effect and no event may be lost, and no
 * effect may be there without its event, nor an event without its effect.
 */

/** What the product said happened, since the last comparison and before. */
type Acknowledged = {
  registered: Set<string>;
  filed: Set<string>;
  approved: Set<string>;
  minted: Set<string>;
  givenUp: Set<string>;
  revoked: Set<string>;
};

type Town = {
  acknowledged: Acknowledged;
  agents: KeyedAgent[];
  tokens: MintedToken[];
  /** Filed, and no answer to an approval seen yet: approved next, so that they do not fill their owner's allowance. */
  open: { requestId: string; agentId: string; key: CryptoKey }[];
  /** Filings of which no answer came, by idempotency key: said again after the crash. */
  unanswered: Map<string, Filing>;
  /** Approvals that were refused, to be looked up. */
  refused: (Town['open'][number] & { said: string })[];
  faults: string[];
};

export type RoundsReport = {
  rounds: number;
  faults: string[];
  /** Acknowledged effects by kind, so that a loop in which nothing happened is seen. */
  acknowledged: Record<string, number>;
  /** Rounds in which at least one request was on its way when the process died. */
  cutOff: number;
};

/** How long a round works before the kill, in milliseconds: what was just started is cold, and slow at first. */
const workMs = { least: 100, most: 1_200 };
/** A token with less than this left is not given up: the end of one that has expired meanwhile is acknowledged and is none. */
const leastLeftMs = 60_000;

export async function runCrashRounds(
  rounds: number,
  options: { onRound?: (ended: number) => void } = {},
): Promise<RoundsReport> {
  const town = await openCrashTown();
  const state: Town = {
    acknowledged: {
      registered: new Set(),
      filed: new Set(),
      approved: new Set(),
      minted: new Set(),
      givenUp: new Set(),
      revoked: new Set(),
    },
    agents: [],
    tokens: [],
    open: [],
    unanswered: new Map(),
    refused: [],
    faults: [],
  };
  const { faults } = state;
  let cutOff = 0;
  let round = 0;
  try {
    for (; round < rounds && faults.length === 0; round++) {
      await topUpAgents(town, state, round);
      const work = beginWork(town, state, round);
      await sleep(workMs.least + Math.random() * (workMs.most - workMs.least));
      work.end();
      const before = work.inFlight();
      await town.crash(round % 2 === 0 ? 'gate' : 'postgres');
      await work.ended;
      if (before > 0) cutOff++;
      await repeatUnanswered(town, state);
      await lookUpRefused(town, state);
      faults.push(...(await compare(town, state.acknowledged)).map((fault) => `round ${round}: ${fault}`));
      options.onRound?.(round + 1);
    }
    await untilSequenced(town);
    const problem = await town.historyProblem();
    if (problem) faults.push(`history does not verify: ${problem}`);
  } catch (error) {
    throw new Error(`round ${round}; the product said:\n${town.product.output().slice(-6_000)}`, {
      cause: error,
    });
  } finally {
    await town.stop();
  }
  const { acknowledged } = state;
  return {
    rounds,
    faults,
    cutOff,
    acknowledged: Object.fromEntries(
      Object.entries(acknowledged).map(([kind, effects]) => [kind, effects.size]),
    ),
  };
}

/** A few approved agents to mint for; those of earlier rounds may have been revoked. */
async function topUpAgents(town: CrashTown, state: Town, round: number): Promise<void> {
  for (let number = 0; state.agents.length < 4; number++) {
    await fileOne(town, state, `Keeper ${round} ${number}`, `top-up-${round}-${number}`);
    try {
      await approveOne(town, state);
    } catch (error) {
      // The one it took was approved just before a kill, and its answer lost: the next one is taken.
      if (!(error instanceof Refused)) throw error;
    }
  }
}

async function fileOne(town: CrashTown, state: Town, name: string, key: string): Promise<void> {
  const filing = await town.prepareFiling(name);
  state.unanswered.set(key, filing);
  const filed = await town.file(filing, key);
  state.unanswered.delete(key);
  state.acknowledged.filed.add(filed.requestId);
  state.open.push({ ...filed, key: filing.key });
}

async function approveOne(town: CrashTown, state: Town): Promise<void> {
  const filed = state.open.shift();
  if (!filed) return;
  try {
    await town.approve(filed.requestId);
    state.acknowledged.approved.add(filed.requestId);
  } catch (error) {
    // No answer means to ask again; a refusal, that it was decided and the answer to that lost, which is looked up.
    if (error instanceof Refused) state.refused.push({ ...filed, said: error.message });
    else state.open.push(filed);
    throw error;
  }
  const clientId = await town.clientOf(filed.agentId);
  state.agents.push({ agentId: filed.agentId, clientId, key: filed.key });
}

/** An approval is refused only where it was taken before. */
async function lookUpRefused(town: CrashTown, state: Town): Promise<void> {
  for (const { said, ...filed } of state.refused.splice(0)) {
    const [row] = await town.sql<{ state: string }>('SELECT state FROM registration_request WHERE id = $1', [
      filed.requestId,
    ]);
    if (row?.state !== 'approved') state.faults.push(`${filed.requestId} is ${row?.state}, and ${said}`);
  }
}

/** Everybody at once, each as fast as answers come, until the end is called. */
function beginWork(town: CrashTown, state: Town, round: number) {
  const { acknowledged, tokens } = state;
  let over = false;
  let inFlight = 0;
  const count = async <T>(request: Promise<T>): Promise<T> => {
    inFlight++;
    try {
      return await request;
    } finally {
      inFlight--;
    }
  };
  const pick = <T>(from: readonly T[]): T | undefined => from[Math.floor(Math.random() * from.length)];
  let serial = 0;
  const workers: (() => Promise<void>)[] = [
    ...Array.from({ length: 2 }, () => async () => {
      acknowledged.registered.add(await count(town.register(`Client ${round} ${serial++}`)));
    }),
    async () => {
      const number = serial++;
      if (state.open.length > 2) return void (await sleep(5));
      await count(fileOne(town, state, `Agent ${round} ${number}`, `filing-${round}-${number}`));
    },
    async () => {
      if (state.open.length === 0) return void (await sleep(5));
      await count(approveOne(town, state));
    },
    ...Array.from({ length: 2 }, () => async () => {
      const agent = pick(state.agents);
      if (!agent) return void (await sleep(5));
      const minted = await count(town.mint(agent));
      acknowledged.minted.add(minted.jti);
      tokens.push(minted);
    }),
    async () => {
      const minted = tokens.splice(Math.floor(Math.random() * tokens.length), 1)[0];
      if (!minted || minted.expiresAtMs - Date.now() < leastLeftMs) return void (await sleep(5));
      await count(town.giveUp(minted));
      acknowledged.givenUp.add(minted.jti);
    },
    async () => {
      if (state.agents.length < 3) return void (await sleep(20));
      const [agent] = state.agents.splice(0, 1);
      if (!agent) return;
      await count(town.revoke(agent.agentId));
      acknowledged.revoked.add(agent.agentId);
    },
  ];
  const ended = Promise.all(
    workers.map(async (worker) => {
      while (!over) {
        try {
          await worker();
        } catch (error) {
          // A refusal says that nothing happened (an agent may just have been revoked); no answer says nothing at all.
          if (!(error instanceof Refused) && !over) await sleep(20);
        }
      }
    }),
  );
  return {
    inFlight: () => inFlight,
    end() {
      over = true;
    },
    ended,
  };
}

/**
 * Filings nobody answered are sent again, word for word, under the same idempotency key. Whatever is said to that, there
 * is one or none, never two; one that is there goes on like any other, so that it does not fill its owner's allowance.
 */
async function repeatUnanswered(town: CrashTown, state: Town): Promise<void> {
  for (const [idempotencyKey, filing] of [...state.unanswered]) {
    await town.file(filing, idempotencyKey).catch((error: unknown) => {
      // It took effect and its answer was lost, or it died so lately that it may still be running.
      if (!(error instanceof Refused)) throw error;
    });
    state.unanswered.delete(idempotencyKey);
    const [found] = await town.sql<{ requestId: string; agentId: string }>(
      `SELECT r.id AS "requestId", a.id AS "agentId" FROM registration_request r JOIN agent a ON a.id = r.agent_id
        WHERE a.name = $1`,
      [filing.name],
    );
    if (found) state.open.push({ ...found, key: filing.key });
  }
}

/** Effects and the events that record them: each of one needs exactly one of the other. */
const pairs: readonly { what: string; effects: string; events: string }[] = [
  {
    what: 'registration',
    effects: `SELECT id FROM client`,
    events: `SELECT subject_id FROM audit_event WHERE kind = 'client.register'`,
  },
  {
    what: 'token',
    effects: `SELECT id FROM credential`,
    events: `SELECT subject_id FROM audit_event WHERE kind = 'credential.issue'`,
  },
  {
    what: 'end of a token',
    effects: `SELECT id FROM credential WHERE ended_at IS NOT NULL`,
    events: `SELECT subject_id FROM audit_event WHERE kind = 'credential.end'`,
  },
  {
    what: 'request',
    effects: `SELECT id FROM registration_request`,
    events: `SELECT subject_id FROM audit_event WHERE kind = 'request.create'`,
  },
  {
    what: 'approval',
    effects: `SELECT id FROM registration_request WHERE state = 'approved'`,
    events: `SELECT subject_id FROM audit_event WHERE kind = 'request.approve'`,
  },
  {
    what: 'vote of an approval',
    effects: `SELECT id FROM registration_request WHERE state = 'approved'`,
    events: `SELECT request_id FROM decision_vote`,
  },
  {
    what: 'binding',
    effects: `SELECT id FROM tool_binding`,
    events: `SELECT subject_id FROM audit_event WHERE kind = 'binding.create'`,
  },
  {
    what: 'revocation of an agent',
    effects: `SELECT id FROM agent WHERE state = 'revoked'`,
    events: `SELECT subject_id FROM audit_event WHERE kind = 'agent.revoke'`,
  },
  {
    what: 'receipt of a revocation',
    effects: `SELECT id FROM agent WHERE state = 'revoked'`,
    events: `SELECT target_id FROM revocation WHERE effect = 'revoke'`,
  },
  {
    what: 'word of a revocation to the guards',
    effects: `SELECT id FROM agent WHERE state = 'revoked'`,
    events: `SELECT subject FROM feed_entry WHERE kind = 'agent.changed' AND value -> 'agent' ->> 'state' = 'revoked'`,
  },
];

async function compare(town: CrashTown, acknowledged: Acknowledged): Promise<string[]> {
  const faults = [...town.failures];
  for (const { what, effects, events } of pairs) {
    const rows = await town.sql<{ id: string; effects: number; events: number }>(
      `SELECT id, sum(e)::int AS effects, sum(v)::int AS events FROM (
         SELECT id, 1 AS e, 0 AS v FROM (${effects}) AS x(id) UNION ALL SELECT id, 0, 1 FROM (${events}) AS y(id)) z
        GROUP BY id HAVING sum(e) <> 1 OR sum(v) <> 1 LIMIT 5`,
    );
    for (const row of rows)
      faults.push(`${what} ${row.id}: ${row.effects} effects, ${row.events} records of it`);
  }
  const present: Record<keyof Acknowledged, string> = {
    registered: `SELECT id FROM client WHERE kind = 'dynamic'`,
    filed: `SELECT id FROM registration_request`,
    approved: `SELECT id FROM registration_request WHERE state = 'approved'`,
    minted: `SELECT id FROM credential`,
    givenUp: `SELECT id FROM credential WHERE ended_at IS NOT NULL`,
    revoked: `SELECT id FROM agent WHERE state = 'revoked'`,
  };
  for (const [kind, query] of Object.entries(present) as [keyof Acknowledged, string][]) {
    const lost = await town.sql<{ id: string }>(
      `SELECT id FROM unnest($1::text[]) AS said(id) WHERE id NOT IN (${query}) LIMIT 5`,
      [[...acknowledged[kind]]],
    );
    for (const { id } of lost) faults.push(`${kind} was acknowledged and is not there: ${id}`);
  }
  const twice = await town.sql<{ name: string }>(
    'SELECT name FROM agent GROUP BY name HAVING count(*) > 1 LIMIT 5',
  );
  for (const { name } of twice) faults.push(`filed once under one idempotency key, there twice: ${name}`);
  return faults;
}

/** Waits until every event has its place in the log; fails by the caller's time-out if one never gets it. */
async function untilSequenced(town: CrashTown): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const [row] = await town.sql<{ left: number }>(
      'SELECT count(*)::int AS left FROM audit_event e WHERE NOT EXISTS (SELECT 1 FROM audit_leaf l WHERE l.event_id = e.id)',
    );
    if (row?.left === 0) return;
    if (performance.now() > deadline) throw new Error(`${row?.left} events have no place in the log`);
    await sleep(100);
  }
}
