import { Callout } from '#components/ui/callout.tsx';
import { RelativeTime } from './relative-time.tsx';

/** Above every page of whoever can make room, while a disk is low. `LiveRefresh` of the issuance banner keeps it current. */
export function DiskBanner({
  warnings,
}: {
  warnings: readonly { state: 'low' | 'critical'; host: string; freeMb: number; at: string }[];
}) {
  return warnings.map(({ state, host, freeMb, at }) => (
    <Callout
      key={host}
      announce
      tone={state === 'critical' ? 'danger' : 'warning'}
      title={
        state === 'critical' ? 'New clients cannot register: the disk is nearly full' : 'The disk runs low'
      }
      className="mb-4"
    >
      {freeMb} MB were left on {host} <RelativeTime at={at} />.{' '}
      {state === 'critical'
        ? 'Everything else goes on as long as PostgreSQL can write. With room again, registrations are taken again by themselves.'
        : 'Make room before unknown clients are turned away.'}
    </Callout>
  ));
}
