'use client';

import { CopyableId } from '#components/console/copyable-id.tsx';
import { formatDuration } from '#components/console/duration.ts';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { Card } from '#components/ui/card.tsx';
import { CodeBlock } from '#components/ui/code-block.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { KeyRow, KeyUse } from '#lib/credentials/read-keys.ts';
import { type CheckAction, CheckKeys } from './check-keys.tsx';
import { type KillAction, KillKey } from './kill-key.tsx';
import { liveTokens, purposes, splitByUse } from './purposes.ts';
import { type RotateAction, RotateKey } from './rotate-key.tsx';

/** The keys this installation signs with, by what they sign, and the ways to replace or end one. */
export function KeysView({
  keys,
  nowMs,
  use,
  publicKeys,
  overlapSeconds,
  jwksUrl,
  mayAdmin,
  actions,
}: {
  keys: readonly KeyRow[];
  nowMs: number;
  use: readonly KeyUse[];
  publicKeys: Readonly<Record<KeyRow['purpose'], unknown[]>>;
  /** How long a retired key goes on being accepted. */
  overlapSeconds: number;
  jwksUrl: string;
  mayAdmin: boolean;
  actions: { rotate: RotateAction; kill: KillAction; check: CheckAction };
}) {
  return (
    <div className="grid gap-4">
      <LiveRefresh topics={['keys']} />
      <PageHeader
        title="Signing keys"
        description="Each purpose has keys of its own. They rotate every thirty days by themselves: the next key is known long before it signs, the old one is accepted until what it signed has ended."
        meta={
          <>
            <CopyableId id={jwksUrl} label="address of the key set" keep={60} />
            <TextLink href="/audit?kind=key.create&kind=key.activate&kind=key.retire&kind=key.kill">
              History of keys
            </TextLink>
          </>
        }
        actions={mayAdmin && <CheckKeys check={actions.check} />}
      />
      {(Object.keys(purposes) as (keyof typeof purposes)[]).map((purpose) => {
        const { title, signs } = purposes[purpose];
        const { current, past } = splitByUse(
          keys.filter((key) => key.purpose === purpose),
          nowMs,
        );
        return (
          <Card
            key={purpose}
            flush
            id={purpose}
            title={title}
            description={signs}
            actions={mayAdmin && <RotateKey purpose={purpose} rotate={actions.rotate} />}
          >
            <ul aria-label={`${title}: keys in use`} className="divide-y divide-line">
              {current.map((each) => (
                <KeyLine
                  key={each.kid}
                  row={each}
                  use={use.filter(({ kid }) => kid === each.kid)}
                  kill={mayAdmin ? actions.kill : null}
                />
              ))}
            </ul>
            <details className="border-line border-t">
              <summary className="min-h-6 px-4 py-2 text-fg-2 text-xs">
                What verifiers read: {publicKeys[purpose].length} public{' '}
                {publicKeys[purpose].length === 1 ? 'key' : 'keys'}
              </summary>
              <div className="grid gap-2 px-4 pb-3">
                <p className="max-w-[72ch] text-fg-2 text-xs">
                  {purpose === 'token' ? 'Published at the address above.' : 'Given to those who verify it.'}{' '}
                  A retired key stays for {formatDuration(overlapSeconds)}, until the last thing it signed has
                  ended.
                </p>
                <CodeBlock
                  label={`${title}: public keys`}
                  code={JSON.stringify({ keys: publicKeys[purpose] }, null, 2)}
                  maxHeight="16rem"
                />
              </div>
            </details>
            {past.length > 0 && (
              <details className="border-line border-t">
                <summary className="min-h-6 px-4 py-2 text-fg-2 text-xs">
                  {past.length} earlier {past.length === 1 ? 'key' : 'keys'}
                </summary>
                <ul aria-label={`${title}: earlier keys`} className="divide-y divide-line">
                  {past.map((each) => (
                    <KeyLine key={each.kid} row={each} use={[]} kill={null} />
                  ))}
                </ul>
              </details>
            )}
          </Card>
        );
      })}
    </div>
  );
}

function KeyLine({ row, use, kill }: { row: KeyRow; use: readonly KeyUse[]; kill: KillAction | null }) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-2.5 text-sm">
      <span className="w-24">
        <StatePill state={row.state} plain />
      </span>
      <div className="grid min-w-52 flex-1 gap-0.5">
        <CopyableId id={row.kid} label="key id" keep={40} />
        <span className="text-fg-3 text-xs">
          <Since row={row} />
          {row.purpose === 'token' && row.state !== 'next' && row.state !== 'killed' && (
            <> · {liveTokens(row)}</>
          )}
          {row.rotatesAt && (
            <>
              {' '}
              · hands over <RelativeTime at={row.rotatesAt} />
            </>
          )}
        </span>
        {use.length > 0 && (
          <span className="text-fg-3 text-xs">
            Verified with it in the last day:{' '}
            {use.map((each, index) => (
              <span key={each.byId}>
                {index > 0 && ', '}
                <TextLink href={`/guards/${each.byId}`}>{each.by}</TextLink> (
                {each.calls.toLocaleString('en')}, last <RelativeTime at={each.lastAt} />)
              </span>
            ))}
          </span>
        )}
      </div>
      {kill && <KillKey row={row} kill={kill} />}
    </li>
  );
}

function Since({ row }: { row: KeyRow }) {
  switch (row.state) {
    case 'next':
      return (
        <>
          made <RelativeTime at={row.createdAt} />, signs nothing yet
        </>
      );
    case 'active':
      return (
        <>
          signs since <RelativeTime at={row.activatedAt} />
        </>
      );
    case 'retired':
      return (
        <>
          signed until <RelativeTime at={row.retiredAt} />, accepted until{' '}
          <RelativeTime at={row.publishedUntil} />
        </>
      );
    case 'killed':
      return (
        <>
          killed <RelativeTime at={row.killedAt} />
        </>
      );
  }
}
