import { toReceiptFacts } from '#components/revocations/receipt.ts';
import { ReceiptView } from '#components/revocations/receipt-view.tsx';
import { readReceipt } from '#lib/revocation/receipt.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { requirePage } from '../../../page-context.ts';

export const metadata = { title: 'Receipt of a stop' };

export default async function ReceiptPage({ params }: { params: Promise<{ id: string }> }) {
  const { ctx } = await requirePage();
  const { id } = await params;
  const receipt = await notFoundOr(() => readReceipt(ctx, id));
  return <ReceiptView initial={toReceiptFacts(receipt)} reached={receipt.blastRadius} />;
}
