import { type ExpiryAddress, expiryParameters } from '#components/expiry/address.ts';
import { ExpiryView } from '#components/expiry/expiry-view.tsx';
import { hasRole } from '#lib/access/require.ts';
import { expiryQuery, readExpiry } from '#lib/agents/read-expiry.ts';
import { requirePage } from '../../page-context.ts';

export const metadata = { title: 'Expiry' };

export default async function ExpiryPage({
  searchParams,
}: {
  searchParams: Promise<Record<string, string | string[] | undefined>>;
}) {
  const { ctx } = await requirePage();
  const address = readAddress(await searchParams);
  const expiry = await readExpiry(ctx, expiryQuery.parse(address));
  return (
    <ExpiryView
      expiry={expiry}
      address={address}
      seesAll={hasRole(ctx.actor, 'approver', 'auditor', 'admin')}
    />
  );
}

/** What an address asks for; what nobody could have clicked is left out. */
function readAddress(given: Record<string, string | string[] | undefined>): ExpiryAddress {
  const address: ExpiryAddress = {};
  for (const name of expiryParameters) {
    const value = given[name];
    if (typeof value !== 'string' || value === '') continue;
    if (expiryQuery.shape[name].safeParse(value).success) address[name] = value;
  }
  return address;
}
