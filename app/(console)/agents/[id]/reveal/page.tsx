import { RevealView } from '#components/reveal/reveal-view.tsx';
import { readReveals } from '#lib/credentials/read-credentials.ts';
import { notFoundOr } from '../../../../not-found-or.ts';
import { requirePage } from '../../../../page-context.ts';
import { revealCredential } from './actions.ts';

type Props = { params: Promise<{ id: string }> };

export const metadata = { title: 'Reveal token' };

export default async function RevealPage({ params }: Props) {
  const { ctx } = await requirePage('owner');
  const { id } = await params;
  const view = await notFoundOr(() => readReveals(ctx, id));
  return <RevealView view={view} reveal={revealCredential} />;
}
