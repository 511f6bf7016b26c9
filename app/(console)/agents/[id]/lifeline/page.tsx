import { LifelineView } from '#components/agents/lifeline-view.tsx';
import { readTimeline, timelineQuery } from '#lib/agents/read-timeline.ts';
import { notFoundOr } from '../../../../not-found-or.ts';
import { requirePage } from '../../../../page-context.ts';

export const metadata = { title: 'Lifeline' };

export default async function LifelinePage({
  params,
  searchParams,
}: {
  params: Promise<{ id: string }>;
  searchParams: Promise<{ from?: string | string[]; to?: string | string[] }>;
}) {
  const { ctx } = await requirePage();
  const [{ id }, given] = await Promise.all([params, searchParams]);
  const dayIn = (value: unknown) => timelineQuery.shape.from.safeParse(value || undefined).data;
  const range = { from: dayIn(given.from), to: dayIn(given.to) };
  const timeline = await notFoundOr(() => readTimeline(ctx, id, range));
  return <LifelineView timeline={timeline} from={range.from ?? ''} to={range.to ?? ''} />;
}
