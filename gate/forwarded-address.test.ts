import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestGate, type TestGate } from '#tests/gate.ts';

/**
 * Behind one trusted proxy on this machine, registrations are for 10.9.0.0/16. Whatever a client writes into headers,
 * only the address the proxy saw, which it appends last, opens or closes that door (T45).
 */

const [inside, outside] = ['10.9.1.1', '203.0.113.9'];
let gate: TestGate;

beforeAll(async () => {
  gate = await startTestGate(27080, {
    COUNTERSIGN_TRUSTED_PROXIES: '127.0.0.1/32',
    COUNTERSIGN_REGISTRATION_NETWORKS: '10.9.0.0/16',
    COUNTERSIGN_REGISTRATIONS_PER_SOURCE: '100000',
  });
});
afterAll(() => gate?.close());

let counter = 0;
/** Headers as name and value, in order, repeated ones as they are. */
function register(headers: readonly (readonly [string, string])[]): Promise<number> {
  const body = JSON.stringify({
    client_name: `Client ${++counter}`,
    redirect_uris: ['http://127.0.0.1:49152/callback'],
  });
  const raw = [
    ['Host', new URL(gate.issuer).host],
    ['Content-Type', 'application/json'],
    ['Content-Length', String(body.length)],
    ...headers,
  ].flat();
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: gate.running.port,
        path: '/register',
        method: 'POST',
        headers: raw,
        agent: false,
      },
      (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const forwarded = 'X-Forwarded-For';
const claims: [name: string, headers: [string, string][]][] = [
  ['none', []],
  ['one address before', [[forwarded, inside]]],
  ['many before', [[forwarded, Array(31).fill(inside).join(', ')]]],
  ['more than are read', [[forwarded, Array(500).fill(inside).join(',')]]],
  ['the proxy itself', [[forwarded, '127.0.0.1']]],
  ['the proxy, mapped', [[forwarded, `${inside}, ::ffff:127.0.0.1`]]],
  ['junk', [[forwarded, 'evil, _hidden, unknown, "']]],
  ['an address with a port', [[forwarded, `${inside}:80`]]],
  ['brackets', [[forwarded, `[${inside}]`]]],
  ['decimal and short spellings', [[forwarded, '168362241, 10.9.257, 0x0a.9.1.1']]],
  ['a tab and spaces', [[forwarded, `\t ${inside} \t`]]],
  ['another spelling of the name', [['x-FORWARDED-for', inside]]],
  ['Forwarded', [['Forwarded', `for=${inside};proto=https`]]],
  ['X-Real-IP', [['X-Real-IP', inside]]],
  [
    'True-Client-IP and CF-Connecting-IP',
    [
      ['True-Client-IP', inside],
      ['CF-Connecting-IP', inside],
    ],
  ],
  [
    'X-Client-IP and X-Cluster-Client-IP',
    [
      ['X-Client-IP', inside],
      ['X-Cluster-Client-IP', inside],
    ],
  ],
  [
    'X-Forwarded and Client-IP',
    [
      ['X-Forwarded', inside],
      ['Client-IP', inside],
    ],
  ],
  ['the underscore spelling', [['X_Forwarded_For', inside]]],
  ['X-Original-Forwarded-For', [['X-Original-Forwarded-For', inside]]],
];

test.each(claims)(
  'an address outside stays outside, whatever the client sends: %s',
  async (_name, headers) => {
    const before = await gate.database.db.prisma.client.count();
    // As a proxy that adds a line of its own, and as one that appends to the line there is.
    expect(await register([...headers, [forwarded, outside]])).toBe(403);
    const own = headers.find(([name]) => name.toLowerCase() === 'x-forwarded-for');
    const others = headers.filter((header) => header !== own);
    if (own) expect(await register([...others, [own[0], `${own[1]}, ${outside}`]])).toBe(403);
    expect(await gate.database.db.prisma.client.count()).toBe(before);
  },
);

test.each(claims)('an address inside stays inside, and is the one in history: %s', async (_name, headers) => {
  const lied = headers.map(([name, value]) => [name, value.replaceAll(inside, outside)] as const);
  expect(await register([...lied, [forwarded, inside]])).toBe(201);
  const { sourceAddress } = await gate.database.db.prisma.client.findFirstOrThrow({
    where: { name: `Client ${counter}` },
  });
  expect(sourceAddress).toBe(inside);
});
