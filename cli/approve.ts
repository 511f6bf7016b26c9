import type { JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { z } from 'zod';
import { signStatement } from '#lib/access/command-line-signing.ts';
import { statementText } from '#lib/agents/approval-statement.ts';
import {
  constraintSchema,
  narrow,
  type Snapshot,
  snapshotDigestOf,
  snapshotSchema,
} from '#lib/agents/snapshot.ts';
import { describeConstraint, describeSeconds } from '#lib/approvals/diff.ts';
import { readApiToken } from '#lib/platform/env.ts';
import { OperatorError } from '#lib/platform/operator-error.ts';
import { revealHidden } from '#lib/platform/text.ts';
import { upstreamFetch } from '#lib/platform/upstream-fetch.ts';

/** The parts of a review that are read here (`getReview` of the API). */
const reviewSchema = z.object({
  id: z.string(),
  label: z.string(),
  state: z.string(),
  revision: z.int(),
  snapshotDigest: z.string(),
  snapshot: snapshotSchema,
  proposed: z.object({
    lifetimeSeconds: z.int(),
    tools: z.array(z.object({ toolId: z.string(), constraints: z.array(constraintSchema) })),
  }),
  cannotDecide: z.string().nullable(),
});
const queueSchema = z.object({ items: z.array(z.object({ id: z.string(), label: z.string() })) });
const approvedSchema = z.object({ state: z.string(), votes: z.int(), requiredApprovals: z.int() });

export type ApproveOptions = {
  /** Id, or the label a person reads: CS-12. */
  request: string;
  keyFile: string;
  /** Where the API is. */
  url: string;
  comment: string;
  /** Do not ask before signing. */
  yes: boolean;
};

const timeoutMs = 15_000;

/**
 * Approves a request from the command line. What is signed is computed here from the words that are shown here, never
 * taken from the server: a server that shows one thing cannot have another signed.
 */
export async function approve(options: ApproveOptions): Promise<void> {
  const privateJwk = readKey(options.keyFile);
  const id = await findRequest(options);
  const review = reviewSchema.parse(
    await call(options.url, 'GET', `/requests/${encodeURIComponent(id)}/review`),
  );
  if (review.state !== 'submitted') throw new OperatorError(`${review.label} is ${review.state}.`);
  if (review.cannotDecide) throw new OperatorError(review.cannotDecide);
  if (snapshotDigestOf(review.snapshot) !== review.snapshotDigest) {
    throw new OperatorError('The server’s digest is not that of the words it sent. Nothing was signed.');
  }
  const granted = narrow(review.snapshot, {
    keep: review.proposed.tools,
    lifetimeSeconds: review.proposed.lifetimeSeconds,
  });
  console.log(toText(review.label, granted));
  if (!options.yes && !(await isWanted())) {
    console.log('Nothing was signed.');
    return;
  }
  const statement = statementText({
    decision: 'approve',
    grantedDigest: snapshotDigestOf(granted),
    requestId: review.id,
    revision: review.revision,
  });
  const answer = approvedSchema.parse(
    await call(options.url, 'POST', `/requests/${encodeURIComponent(review.id)}/approve`, {
      snapshotDigest: review.snapshotDigest,
      signature: sign(privateJwk, statement, options.keyFile),
      comment: options.comment,
    }),
  );
  const missing = answer.requiredApprovals - answer.votes;
  console.log(
    answer.state === 'approved'
      ? `${review.label} approved.`
      : `Your approval of ${review.label} counts, ${missing} more needed.`,
  );
}

function readKey(file: string): JsonWebKey {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JsonWebKey;
  } catch (error) {
    throw new OperatorError(`${file} is not a key made by “countersign keys new”.`, { cause: error });
  }
}

function sign(privateJwk: JsonWebKey, statement: string, file: string) {
  try {
    return signStatement(privateJwk, statement);
  } catch (error) {
    throw new OperatorError(`${file} holds no private Ed25519 or P-256 key.`, { cause: error });
  }
}

async function findRequest({ request, url }: ApproveOptions): Promise<string> {
  if (request.startsWith('req_')) return request;
  const { items } = queueSchema.parse(await call(url, 'GET', '/review?view=all'));
  const found = items.find(({ label }) => label.toLowerCase() === request.toLowerCase());
  if (!found) throw new OperatorError(`${request} does not wait for a decision.`);
  return found.id;
}

/** What will be signed, for the terminal: whatever somebody else wrote shows its hidden characters. */
function toText(label: string, granted: Snapshot): string {
  const { agent, owner, purpose, tools, lifetimeSeconds } = granted;
  const plain = (text: string) => revealHidden(text);
  return [
    `${label}: ${plain(agent.name)} for ${plain(owner.displayName)} (${plain(owner.subject)})`,
    `  ${plain(purpose.task)}`,
    `  until: ${plain(purpose.endCondition)}; data: ${purpose.dataClass}; for ${describeSeconds(lifetimeSeconds)}`,
    ...tools.flatMap((tool) => [
      `  ${plain(tool.server)}/${plain(tool.name)}: ${tool.class}, ${tool.risk} risk`,
      ...tool.constraints.map((constraint) => `    only where ${plain(describeConstraint(constraint))}`),
    ]),
  ].join('\n');
}

async function isWanted(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await terminal.question('Sign and approve exactly this? Type yes: ')).trim() === 'yes';
  } finally {
    terminal.close();
  }
}

async function call(url: string, method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
  const token = readApiToken();
  if (!token)
    throw new OperatorError('Set COUNTERSIGN_TOKEN to an API token of yours (Settings, API tokens).');
  const send = upstreamFetch({ timeoutMs });
  const response = await send(new URL(`/api/v1${path}`, url), {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
  }).catch((error: unknown) => {
    throw new OperatorError(`${url} does not answer.`, { cause: error });
  });
  const answer = (await response.json().catch(() => ({}))) as { detail?: unknown };
  if (response.ok) return answer;
  throw new OperatorError(
    typeof answer.detail === 'string' ? answer.detail : `${url} answered ${response.status}.`,
  );
}
