import { randomText } from './random.ts';

const prefixes = {
  agent: 'agt',
  apiToken: 'tok',
  binding: 'bnd',
  challenge: 'chl',
  attempt: 'try',
  client: 'client',
  comment: 'cmt',
  credential: 'crd',
  deviceRequest: 'dev',
  event: 'evt',
  evidence: 'evd',
  family: 'fam',
  group: 'grp',
  groupMember: 'gm',
  guard: 'grd',
  identity: 'idn',
  instance: 'ins',
  invitation: 'inv',
  key: 'key',
  notification: 'ntf',
  outbox: 'out',
  person: 'per',
  personKey: 'pky',
  request: 'req',
  resourceToken: 'rst',
  reveal: 'rvl',
  revision: 'rev',
  revocation: 'rvk',
  roleGrant: 'rol',
  server: 'srv',
  session: 'ses',
  source: 'src',
  succession: 'suc',
  tool: 'tl',
  toolLine: 'tln',
  toolSet: 'set',
  toolSetVersion: 'tsv',
  toolVersion: 'tv',
  trace: 'trc',
  transaction: 'atx',
  verification: 'vrf',
  vote: 'vot',
  webhook: 'whk',
} as const;

export type IdKind = keyof typeof prefixes;

/**
 * A new id: the kind's prefix and a UUIDv7 in hex (RFC 9562 §5.7), so that ids of one kind sort by birth.
 * Not a secret: whatever must be unguessable is a `randomToken`.
 */
export function newId(kind: IdKind): string {
  return `${prefixes[kind]}_${uuidV7()}`;
}

let lastMs = 0;
let counter = 0;

/**
 * A UUIDv7 in hex (RFC 9562 §5.7). The twelve bits after the version count within a millisecond (§6.2, method 1), so
 * that ids made by one process sort in the order of their making; 62 bits are random.
 */
function uuidV7(): string {
  const now = Date.now();
  if (now > lastMs) {
    lastMs = now;
    // Starting in the lower half leaves room to count.
    counter = Number.parseInt(randomText(2, 'hex'), 16) >> 5;
  } else if (++counter > 0xfff) {
    lastMs++;
    counter = 0;
  }
  const random = randomText(8, 'hex');
  const variant = ((Number.parseInt(random.charAt(0), 16) & 0x3) | 0x8).toString(16);
  return (
    lastMs.toString(16).padStart(12, '0') +
    '7' +
    counter.toString(16).padStart(3, '0') +
    variant +
    random.slice(1)
  );
}
