import { notFound } from 'next/navigation';
import { EventView } from '#components/audit/event-view.tsx';
import { readEvent } from '#lib/audit/read-event.ts';
import { consoleUrl } from '#lib/platform/ctx.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { requirePage } from '../../../page-context.ts';

export const metadata = { title: 'Event' };

export default async function EventPage({ params }: { params: Promise<{ id: string }> }) {
  const { ctx } = await requirePage();
  const { id } = await params;
  try {
    const detail = await readEvent(ctx, id);
    return <EventView detail={detail} permalink={consoleUrl(ctx.site, `/audit/${id}`)} />;
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') notFound();
    throw error;
  }
}
