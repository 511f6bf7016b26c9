import type { SearchParams } from 'nuqs/server';
import { loadAuditAddress, toQueryInput } from '#components/audit/address.ts';
import { AuditView } from '#components/audit/audit-view.tsx';
import { eventQuerySchema } from '#lib/audit/event-query.ts';
import { readIntegrity } from '#lib/audit/read-event.ts';
import { newerThan, searchEvents, summariseEvents } from '#lib/audit/search-events.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { requirePage } from '../../page-context.ts';

export const metadata = { title: 'Audit' };

const pageSize = 50;

export default async function AuditPage({ searchParams }: { searchParams: Promise<SearchParams> }) {
  const { ctx } = await requirePage();
  const [address, integrity] = await Promise.all([loadAuditAddress(searchParams), readIntegrity(ctx)]);
  const { roles } = ctx.actor;
  const shared = {
    address,
    integrity,
    ownOnly: roles.every((role) => role === 'owner'),
    mayExport: roles.includes('auditor'),
  };
  const nothing = { rows: [], olderCursor: null, newerCursor: null, watchCursor: null, summary: null };
  const query = eventQuerySchema.safeParse(toQueryInput(address));
  if (!query.success) {
    const issue = query.error.issues[0];
    return (
      <AuditView
        {...shared}
        {...nothing}
        problem={`The filter “${issue?.path.join('.')}” ${issue?.message ?? 'is wrong'}.`}
      />
    );
  }
  try {
    const [page, summary] = await Promise.all([
      searchEvents(ctx, query.data, { limit: pageSize, cursor: address.cursor ?? undefined }),
      summariseEvents(ctx, query.data),
    ]);
    const [newest] = page.items;
    return (
      <AuditView
        {...shared}
        rows={page.items.map((item) => ({ ...item, at: item.at.toISOString() }))}
        olderCursor={page.olderCursor}
        newerCursor={page.newerCursor}
        watchCursor={newest && !page.newerCursor && !query.data.to ? newerThan(newest) : null}
        summary={{
          ...summary,
          histogram: summary.histogram && {
            counts: summary.histogram.counts,
            from: summary.histogram.from.toISOString(),
            to: summary.histogram.to.toISOString(),
          },
        }}
        problem={null}
      />
    );
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return <AuditView {...shared} {...nothing} problem={error.message} />;
  }
}
