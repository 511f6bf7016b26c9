'use client';

import type { Action } from '#components/console/action.ts';
import { ActionProblemNote } from '#components/console/action-problem.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { UntrustedText } from '#components/console/untrusted-text.tsx';
import { useAction } from '#components/console/use-action.ts';
import { Button } from '#components/ui/button.tsx';
import type { ApiTokenRow } from '#lib/access/read-people.ts';

export type EndApiTokenAction = Action<{ tokenId: string }, void>;

/** API tokens by age. Their values are known to nobody any more: only digests are kept. */
export function ApiTokenList({
  tokens,
  endApiToken,
  empty,
}: {
  tokens: readonly ApiTokenRow[];
  endApiToken: EndApiTokenAction | null;
  empty: string;
}) {
  if (tokens.length === 0) return <p className="px-4 py-3 text-fg-2 text-sm">{empty}</p>;
  return (
    <ul className="divide-y divide-line">
      {tokens.map((token) => (
        <li key={token.tokenId} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5 text-sm">
          <div className="grid min-w-52 flex-1 gap-0.5">
            <span className={token.state === 'live' ? 'font-medium' : 'text-fg-2'}>
              <UntrustedText text={token.name} />
            </span>
            <span className="text-fg-3 text-xs">
              made <RelativeTime at={token.createdAt} /> ·{' '}
              {token.lastUsedAt ? (
                <>
                  last used <RelativeTime at={token.lastUsedAt} />
                </>
              ) : (
                'never used'
              )}{' '}
              · {token.state === 'live' ? 'ends' : 'ended'}{' '}
              <RelativeTime at={token.endedAt ?? token.expiresAt} />
            </span>
          </div>
          <StatePill state={token.state} plain />
          {token.state === 'live' && endApiToken && <EndToken token={token} endApiToken={endApiToken} />}
        </li>
      ))}
    </ul>
  );
}

function EndToken({ token, endApiToken }: { token: ApiTokenRow; endApiToken: EndApiTokenAction }) {
  const { run, pending, problem } = useAction(endApiToken);
  return (
    <div className="grid gap-2">
      <Button
        size="sm"
        className="justify-self-end"
        pending={pending}
        aria-label={`End token ${token.name}`}
        onClick={() => run({ tokenId: token.tokenId })}
      >
        End token
      </Button>
      <ActionProblemNote problem={problem} />
    </div>
  );
}
