import { z } from 'zod';
import { requireRole } from '#lib/access/require.ts';
import { dataClasses } from '#lib/agents/purpose.ts';
import { addSeconds } from '#lib/platform/clock.ts';
import { randomToken } from '#lib/platform/crypto.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import type { Prisma } from '#lib/platform/db.ts';
import { Conflict } from '#lib/platform/errors.ts';
import { type DraftContent, withoutSecrets } from './draft-content.ts';

/** A draft nobody goes on with is forgotten after this, in seconds. */
export const composerDraftSeconds = 30 * 24 * 3600;
/** More forms than this nobody fills at once; of more, the ones left alone for longest go. */
const mostDrafts = 20;

const subject = z
  .string()
  .regex(
    /^(?:new|(?:again|edit):req_[0-9a-f]{32}|change:agt_[0-9a-f]{32})$/,
    'This is no form of a request.',
  );

const id = z.string().max(64);

const draftContentSchema = z.strictObject({
  agentName: z.string().max(200),
  deputyId: id.nullable(),
  clientKind: z.enum(['key', 'carried', 'metadata document']),
  key: z.strictObject({
    way: z.enum(['make', 'paste']),
    text: z.string().max(20_000),
    madeThumb: z.string().max(100),
  }),
  url: z.string().max(2000),
  purpose: z.strictObject({
    task: z.string().max(2000),
    systems: z.string().max(2000),
    dataClass: z.enum(dataClasses),
    attended: z.boolean(),
    endCondition: z.string().max(1000),
    ticket: z.string().max(1000),
  }),
  lifetime: z.strictObject({
    seconds: z.number().nullable(),
    custom: z
      .strictObject({ amount: z.string().max(20), unit: z.enum(['minutes', 'hours', 'days']) })
      .nullable(),
  }),
  tools: z.strictObject({
    chosen: z
      .record(id, z.strictObject({ justification: z.string().max(1000) }))
      .refine((chosen) => Object.keys(chosen).length <= 500, 'At most 500 tools.'),
    sets: z.record(id, id).refine((sets) => Object.keys(sets).length <= 500, 'At most 500 tools.'),
  }),
}) satisfies z.ZodType<DraftContent>;

export const saveDraftInput = z.strictObject({
  subject,
  content: draftContentSchema,
  /** The version this form goes on from; null when it knows of none. */
  version: z.string().max(64).nullable(),
});
export const discardDraftInput = z.strictObject({ subject });

export type SavedDraft = { version: string; savedAt: string };

/**
 * Keeps what a person typed so far, for their next visit from anywhere. Conditional on the version the form goes on
 * from: a form that another tab has overtaken is told so, and overwrites nothing. No event: a draft is nobody's business
 * but its writer's, and gives nobody anything.
 *
 * @throws Conflict when there is another version by now, or none any more.
 */
export async function saveDraft(ctx: Ctx, input: z.output<typeof saveDraftInput>): Promise<SavedDraft> {
  const { personId } = requireRole(ctx, 'owner');
  const db = ctx.db.prisma;
  const savedAt = ctx.clock.now();
  const version = randomToken(12);
  const content = withoutSecrets(input.content);
  const where = { personId, subject: input.subject };
  if (input.version === null) {
    await db.composerDraft.deleteMany({ where: { ...where, savedAt: { lt: oldestKept(ctx) } } });
    // One statement each: `createMany` that skips what is there cannot overwrite another tab's.
    const { count } = await db.composerDraft.createMany({
      data: [{ ...where, content: content as Prisma.InputJsonValue, version, savedAt }],
      skipDuplicates: true,
    });
    if (count === 0) throw overtaken();
    await forgetBeyond(ctx, personId);
    return { version, savedAt: savedAt.toISOString() };
  }
  const { count } = await db.composerDraft.updateMany({
    where: { ...where, version: input.version },
    data: { content: content as Prisma.InputJsonValue, version, savedAt },
  });
  if (count === 0) throw overtaken();
  return { version, savedAt: savedAt.toISOString() };
}

function overtaken(): Conflict {
  return new Conflict('Another tab or browser of yours went on with this form. Nothing was overwritten.');
}

async function forgetBeyond(ctx: Ctx, personId: string): Promise<void> {
  const beyond = await ctx.db.prisma.composerDraft.findMany({
    where: { personId },
    orderBy: [{ savedAt: 'desc' }, { subject: 'asc' }],
    skip: mostDrafts,
    select: { subject: true },
  });
  if (beyond.length === 0) return;
  await ctx.db.prisma.composerDraft.deleteMany({
    where: { personId, subject: { in: beyond.map((each) => each.subject) } },
  });
}

function oldestKept(ctx: Pick<Ctx, 'clock'>): Date {
  return addSeconds(ctx.clock.now(), -composerDraftSeconds);
}

/** Throws away one's own draft of a form; nothing happens when there is none. No event, as for saving. */
export async function discardDraft(
  ctx: Ctx,
  input: z.output<typeof discardDraftInput>,
): Promise<{ discarded: boolean }> {
  const { personId } = requireRole(ctx, 'owner');
  const { count } = await ctx.db.prisma.composerDraft.deleteMany({
    where: { personId, subject: input.subject },
  });
  return { discarded: count > 0 };
}

export type StoredDraft = SavedDraft & { content: DraftContent };

/** One's own draft of a form, or null: none, too old, or from before the form had another shape. */
export async function findDraft(ctx: Ctx, draftSubject: string): Promise<StoredDraft | null> {
  const { personId } = requireRole(ctx, 'owner');
  const row = await ctx.db.prisma.composerDraft.findUnique({
    where: { personId_subject: { personId, subject: draftSubject } },
  });
  if (!row || row.savedAt < oldestKept(ctx)) return null;
  const content = draftContentSchema.safeParse(row.content);
  return content.success
    ? { version: row.version, savedAt: row.savedAt.toISOString(), content: content.data }
    : null;
}
