import 'server-only';
import { refresh } from 'next/cache';
import { cookies, headers } from 'next/headers';
import { redirect } from 'next/navigation';
import type { Action, ActionProblem, ActionState } from '#components/console/action.ts';
import { sessionCookieName } from '#gate/session-cookie.ts';
import type { VerbInput, VerbName, VerbOutput } from '#gate/verbs.ts';
import { DomainError } from '#lib/platform/errors.ts';
import { readCaller } from './caller.ts';
import { consoleSite } from './page-context.ts';
import { isSameOrigin } from './same-origin.ts';
import { callVerb, GateFailure } from './verbs.ts';

export type { Action, ActionProblem, ActionState };

export type ActionOptions<Output> = {
  /** The verb is for people who are not signed in (redeeming a link). */
  anonymous?: boolean;
  /** Where to go afterwards, from the output. Without it the page is read again. */
  redirectTo?: (output: Output) => string;
  /** Leave the page as it is: what came out is shown by the form itself (a secret shown once, a look-up). */
  quiet?: boolean;
};

/**
 * A server action that calls one verb as the person of this session: `export const approve = defineAction('requests.approve')`.
 * Works with `useActionState` on a plain form, without script too, and called with an object: `approve(null, input)`.
 * It checks that the call comes from this console's own page; rights, state and input are the verb's to check, in the
 * gate, which reads the session again.
 */
export function defineAction<Name extends VerbName>(
  name: Name,
  options: ActionOptions<VerbOutput<Name>> = {},
): Action<VerbInput<Name>, VerbOutput<Name>> {
  return async function action(_previous, input) {
    const caller = await readCaller();
    const state = await attempt(name, input, options.anonymous ?? false);
    if (!state.ok) {
      return {
        ok: false,
        problem: { ...state.problem, requestId: state.problem.requestId || caller.traceId },
      };
    }
    // Outside the try: redirecting works by throwing.
    if (options.redirectTo) redirect(options.redirectTo(state.output));
    if (!options.quiet) refresh();
    return state;
  };
}

async function attempt<Name extends VerbName>(
  name: Name,
  input: FormData | VerbInput<Name>,
  isAnonymous: boolean,
): Promise<ActionState<VerbOutput<Name>>> {
  const site = consoleSite();
  const [given, jar, caller] = await Promise.all([headers(), cookies(), readCaller()]);
  if (!isSameOrigin(given, site.consoleOrigin)) {
    return problem('forbidden', 'This did not come from a page of this console. Nothing was changed.');
  }
  const sessionToken = jar.get(sessionCookieName(site.consoleOrigin))?.value ?? null;
  if (!sessionToken && !isAnonymous) {
    return problem('unauthenticated', 'Your session has ended. Sign in again; nothing was changed.');
  }
  try {
    const output = await callVerb(
      name,
      (input instanceof FormData ? fromForm(input) : input) as VerbInput<Name>,
      {
        sessionToken,
        address: caller.address,
        userAgent: caller.userAgent,
      },
    );
    return { ok: true, output };
  } catch (error) {
    if (error instanceof DomainError) {
      const { issues, requestId, status: _status, title: _title, ...facts } = error.detail;
      return problem(error.code, error.message, {
        requestId: String(requestId ?? ''),
        issues: Array.isArray(issues) ? issues : [],
        facts,
      });
    }
    if (error instanceof GateFailure) {
      return problem(
        'internal',
        'The server failed. Whether anything was changed is not known: look again before you repeat it.',
        {
          requestId: error.requestId,
        },
      );
    }
    throw error;
  }
}

function problem(
  code: ActionProblem['code'],
  detail: string,
  more: Partial<ActionProblem> = {},
): { ok: false; problem: ActionProblem } {
  return { ok: false, problem: { code, detail, requestId: '', issues: [], facts: {}, ...more } };
}

/**
 * The input a form means: its fields by name; a name ending in `[]` is a list, one ending in `:json` holds JSON, one
 * ending in `:number` a number, and an unticked box is simply absent. The verb's schema decides whether it is right.
 */
function fromForm(form: FormData): Record<string, unknown> {
  const input: Record<string, unknown> = Object.create(null);
  for (const name of new Set(form.keys())) {
    if (name.startsWith('$ACTION')) continue;
    const values = form.getAll(name).filter((value) => typeof value === 'string');
    if (name.endsWith('[]')) input[name.slice(0, -2)] = values;
    else if (name.endsWith(':json')) input[name.slice(0, -5)] = parseJson(values[0]);
    else if (name.endsWith(':number'))
      input[name.slice(0, -7)] = values[0] === '' ? undefined : Number(values[0]);
    else input[name] = values[0];
  }
  return { ...input };
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
