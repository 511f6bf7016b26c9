import type { z } from 'zod';
import { publishServerChange } from '#lib/agents/publish-server-change.ts';
import { classifyTools, classifyToolsInput } from '#lib/catalogue/classify-tools.ts';
import { addServer, addServerInput, editServer, editServerInput } from '#lib/catalogue/servers.ts';
import { syncServer, syncServerInput } from '#lib/catalogue/sync-server.ts';
import {
  changeToolSet,
  changeToolSetInput,
  createToolSet,
  createToolSetInput,
} from '#lib/catalogue/tool-sets.ts';
import {
  inviteGuard,
  inviteGuardInput,
  mintCatalogueToken,
  revokeGuard,
  revokeGuardInput,
} from '#lib/revocation/guards.ts';
import { revokeAgent, stopAgentInput, suspendAgent } from '#lib/revocation/stop-agent.ts';
import type { GateCtx } from './context.ts';

/** A verb as the faces know it: how its input is parsed and what runs. The rules live in the verb itself. */
export type Verb<Schema extends z.ZodType, Output> = {
  readonly input: Schema;
  run(ctx: GateCtx, input: z.output<Schema>): Promise<Output>;
};

/** Any verb, for code that finds one by name and has its input parsed by `input` first. */
export type AnyVerb = { readonly input: z.ZodType; run(ctx: GateCtx, input: never): Promise<unknown> };

export function verb<Schema extends z.ZodType, Output>(
  input: Schema,
  run: (ctx: GateCtx, input: z.output<Schema>) => Promise<Output>,
): Verb<Schema, Output> {
  return { input, run };
}

/**
 * Every mutating verb, by the name the console calls it. One line each; the console process knows this list only
 * by its type.
 */
export const verbs = {
  'catalogue.addServer': verb(addServerInput, addServer),
  'catalogue.changeToolSet': verb(changeToolSetInput, changeToolSet),
  'catalogue.classifyTools': verb(classifyToolsInput, (ctx, input) =>
    classifyTools(ctx, input, publishServerChange),
  ),
  'catalogue.createToolSet': verb(createToolSetInput, createToolSet),
  'catalogue.editServer': verb(editServerInput, editServer),
  'catalogue.syncServer': verb(syncServerInput, (ctx, input) =>
    syncServer(ctx, input, { publish: publishServerChange, catalogueToken: mintCatalogueToken }),
  ),
  'revocation.inviteGuard': verb(inviteGuardInput, inviteGuard),
  'revocation.revokeAgent': verb(stopAgentInput, revokeAgent),
  'revocation.revokeGuard': verb(revokeGuardInput, revokeGuard),
  'revocation.suspendAgent': verb(stopAgentInput, suspendAgent),
} satisfies Record<string, AnyVerb>;

export type Verbs = typeof verbs;
export type VerbName = keyof Verbs;
export type VerbInput<Name extends VerbName> = z.input<Verbs[Name]['input']>;
export type VerbOutput<Name extends VerbName> = Awaited<ReturnType<Verbs[Name]['run']>>;
