import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createApiToken } from '#lib/access/api-tokens.ts';
import type { PersonActor } from '#lib/platform/actor.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { newId } from '#lib/platform/ids.ts';
import { HistoryClock } from './history-clock.ts';
import { openDemoKeys } from './keys.ts';
import { personas } from './personas.ts';
import { seedDemo, storyDays } from './seed.ts';

export { createContinueAs } from './continue-as.ts';

/** The context of the story's first day, when the example servers entered the catalogue. */
export function beginning(ctx: Ctx): Ctx {
  return { ...ctx, clock: new HistoryClock(new Date(ctx.clock.now().getTime() - storyDays * 24 * 3600_000)) };
}

/** Where the personas' API tokens are kept, readable by this user only. */
export const tokensFileIn = (dataFolder: string) => path.join(dataFolder, 'demo', 'tokens.json');

/** Tells the story at the first start and gives every persona an API token, once. */
export async function startDemo(
  ctx: Ctx & { vault: NonNullable<Ctx['vault']> },
  dataFolder: string,
): Promise<void> {
  const keys = openDemoKeys(dataFolder);
  await seedDemo(ctx, keys);
  const file = tokensFileIn(dataFolder);
  const hasTokens = existsSync(file);
  const tokens: Record<string, string> = {};
  for (const persona of personas) {
    const person = await ctx.db.prisma.person.findUniqueOrThrow({ where: { email: persona.email } });
    const actor: PersonActor = {
      kind: 'person',
      personId: person.id,
      subject: person.subject,
      displayName: person.displayName,
      roles: persona.roles,
      via: 'session',
      sessionId: 'ses_demo',
      authnAt: ctx.clock.now(),
      elevatedAt: ctx.clock.now(),
    };
    const acting = { ...ctx, actor, traceId: newId('trace') };
    await keys.enrol(acting, persona.key);
    if (hasTokens) continue;
    const { token } = await createApiToken(acting, { name: 'Demo', days: 90 });
    tokens[persona.key] = token;
  }
  if (hasTokens) return;
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify(tokens, null, 2)}\n`, { mode: 0o600 });
}
