'use client';

import { CopyableId } from '#components/console/copyable-id.tsx';
import { LiveRefresh } from '#components/console/live-refresh.tsx';
import { PageHeader } from '#components/console/page-header.tsx';
import { RelativeTime } from '#components/console/relative-time.tsx';
import { StatePill } from '#components/console/state-pill.tsx';
import { Card } from '#components/ui/card.tsx';
import { TextLink } from '#components/ui/link-button.tsx';
import type { KeyRow } from '#lib/credentials/read-keys.ts';
import { type KillAction, KillKey } from './kill-key.tsx';
import { liveTokens, purposes, splitByUse } from './purposes.ts';
import { type RotateAction, RotateKey } from './rotate-key.tsx';

/** The keys this installation signs with, by what they sign, and the ways to replace or end one. */
export function KeysView({
  keys,
  nowMs,
  jwksUrl,
  mayAdmin,
  actions,
}: {
  keys: readonly KeyRow[];
  nowMs: number;
  jwksUrl: string;
  mayAdmin: boolean;
  actions: { rotate: RotateAction; kill: KillAction };
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
                <KeyLine key={each.kid} row={each} kill={mayAdmin ? actions.kill : null} />
              ))}
            </ul>
            {past.length > 0 && (
              <details className="border-line border-t">
                <summary className="min-h-6 px-4 py-2 text-fg-2 text-xs">
                  {past.length} earlier {past.length === 1 ? 'key' : 'keys'}
                </summary>
                <ul aria-label={`${title}: earlier keys`} className="divide-y divide-line">
                  {past.map((each) => (
                    <KeyLine key={each.kid} row={each} kill={null} />
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

function KeyLine({ row, kill }: { row: KeyRow; kill: KillAction | null }) {
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
        </span>
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
