import { v7 } from 'uuid';

const prefixes = {
  agent: 'agt',
  apiToken: 'tok',
  binding: 'bnd',
  client: 'client',
  comment: 'cmt',
  credential: 'crd',
  event: 'evt',
  evidence: 'evd',
  family: 'fam',
  group: 'grp',
  groupMember: 'gm',
  guard: 'grd',
  instance: 'ins',
  invitation: 'inv',
  key: 'key',
  notification: 'ntf',
  outbox: 'out',
  person: 'per',
  request: 'req',
  resourceToken: 'rst',
  reveal: 'rvl',
  revision: 'rev',
  revocation: 'rvk',
  roleGrant: 'rol',
  server: 'srv',
  session: 'ses',
  source: 'src',
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
  return `${prefixes[kind]}_${v7().replaceAll('-', '')}`;
}
