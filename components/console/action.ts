/** Why an action did nothing, for the form that asked. `issues` name fields; `detail` is a sentence for people. */
export type ActionProblem = {
  /** A code of the domain's errors (`conflict`, `forbidden`, …), or `internal`. */
  code: string;
  detail: string;
  requestId: string;
  issues: readonly { path: string; message: string }[];
  /** What else the verb said, such as the state it found. */
  facts: Readonly<Record<string, unknown>>;
};

/** What a form knows after it was sent: the verb's output, or the problem. `null` before. */
export type ActionState<Output> = { ok: true; output: Output } | { ok: false; problem: ActionProblem };

/** A server action: on a form through `useActionState`, or called with an object. */
export type Action<Input, Output> = (
  previous: ActionState<Output> | null,
  input: FormData | Input,
) => Promise<ActionState<Output>>;
