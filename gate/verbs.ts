import type { z } from 'zod';
import type { GateCtx } from './context.ts';

/** A verb as the faces know it: how its input is parsed and what runs. The rules live in the verb itself. */
export type Verb<Input, Output> = {
  readonly input: z.ZodType<Input>;
  run(ctx: GateCtx, input: Input): Promise<Output>;
};

export function verb<Input, Output>(
  input: z.ZodType<Input>,
  run: (ctx: GateCtx, input: Input) => Promise<Output>,
): Verb<Input, Output> {
  return { input, run };
}

/**
 * Every mutating verb, by the name the console calls it. One line each; the console process knows this list only
 * by its type.
 */
export const verbs = {} satisfies Record<string, Verb<never, unknown>>;

export type Verbs = typeof verbs;
export type VerbName = keyof Verbs;
export type VerbInput<Name extends VerbName> = Verbs[Name] extends Verb<infer Input, unknown> ? Input : never;
export type VerbOutput<Name extends VerbName> =
  Verbs[Name] extends Verb<never, infer Output> ? Output : never;
