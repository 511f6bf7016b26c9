import type { KeyRow } from '#lib/credentials/read-keys.ts';

type Purpose = KeyRow['purpose'];

/** What the keys of a purpose are for, and what becomes of others when one is killed. */
export const purposes: Readonly<Record<Purpose, { title: string; signs: string; killed: string }>> = {
  token: {
    title: 'Access tokens',
    signs: 'Sign what agents present to MCP servers. Each token names its key.',
    killed:
      'Every token it signed is dead at once: here with this click, at each guard with its feed. Approvals stand, so agents with a key or a refresh token get new tokens by themselves; a token somebody carries has to be revealed anew.',
  },
  feed: {
    title: 'Feed to guards',
    signs: 'Sign what guards go by: grants, stops and the token keys.',
    killed:
      'Connected guards drop it at once and go on without a gap. One that is away knows the next key already and drops this one when it comes back.',
  },
  checkpoint: {
    title: 'Checkpoints',
    signs: 'Sign the heads of the log, which auditors check it against.',
    killed:
      'It signs no further head of the log. Whoever checks checkpoints elsewhere needs the new public key.',
  },
};

/** Keys that sign or verify something now, the one that signs first, and those that are history. */
export function splitByUse(keys: readonly KeyRow[], nowMs: number): { current: KeyRow[]; past: KeyRow[] } {
  const order: Readonly<Record<KeyRow['state'], number>> = { active: 0, next: 1, retired: 2, killed: 3 };
  const isCurrent = (key: KeyRow) =>
    key.state === 'active' ||
    key.state === 'next' ||
    (key.state === 'retired' && key.publishedUntil !== null && Date.parse(key.publishedUntil) > nowMs);
  return {
    current: keys.filter(isCurrent).sort((a, b) => order[a.state] - order[b.state]),
    past: keys.filter((key) => !isCurrent(key)),
  };
}

/** `3 tokens of 2 agents`. */
export function liveTokens({ liveTokens: tokens, agents }: Pick<KeyRow, 'liveTokens' | 'agents'>): string {
  if (tokens === 0) return 'no live token';
  return `${tokens} live ${tokens === 1 ? 'token' : 'tokens'} of ${agents} ${agents === 1 ? 'agent' : 'agents'}`;
}
