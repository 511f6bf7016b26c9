import { type Deciders, WaitingView } from '#components/claim/waiting-view.tsx';
import { describeMissingApprover, readEligibility } from '#lib/approvals/eligible.ts';
import { loadVisible } from '#lib/approvals/store.ts';
import { readWaiting, type WaitingRoom } from '#lib/registration/read-waiting.ts';
import { notFoundOr } from '../../../not-found-or.ts';
import { type PageCtx, requireSignedIn } from '../../../page-context.ts';

export const metadata = { title: 'Waiting for approval' };

type Props = {
  params: Promise<{ id: string }>;
  searchParams: Promise<Record<string, string | string[] | undefined>>;
};

/** The waiting room. Without script it reads itself again every two seconds, and goes on by itself all the same. */
export default async function WaitingPage({ params, searchParams }: Props) {
  const { ctx } = await requireSignedIn();
  const { id } = await params;
  const room = await notFoundOr(() => readWaiting(ctx, id));
  // Going on was tried and refused: say so instead of trying in a circle.
  const isStuck = (await searchParams).stuck !== undefined;
  const goesOn =
    !isStuck &&
    !room.device &&
    room.isClaimingSession &&
    (room.state === 'ready' || room.state === 'time is up');
  const isOpen =
    room.state === 'waiting' ||
    room.state === 'changes requested' ||
    (room.device !== null && room.state === 'ready');
  return (
    <>
      {/* Never a redirect of the framework's: its router would follow it in the background and waste the one code. */}
      {goesOn && (
        <noscript>
          <meta httpEquiv="refresh" content={`0;url=/waiting/${room.id}/continue`} />
        </noscript>
      )}
      {isOpen && (
        <noscript>
          <meta httpEquiv="refresh" content="2" />
        </noscript>
      )}
      <WaitingView room={room} isStuck={isStuck} deciders={await readDeciders(ctx, room)} />
    </>
  );
}

/** Who can decide now, by name; when nobody can, what is missing. */
async function readDeciders(ctx: PageCtx, room: WaitingRoom): Promise<Deciders> {
  if (!room.request || room.state !== 'waiting') return { names: [], missing: null };
  const request = await loadVisible(ctx.db.prisma, ctx, room.request.id);
  const { eligible, excluded } = await readEligibility(ctx.db.prisma, ctx, request);
  return {
    names: eligible.map((approver) => approver.displayName),
    missing: eligible.length === 0 ? describeMissingApprover(excluded.length) : null,
  };
}
