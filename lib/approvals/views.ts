import { z } from 'zod';
import { purposeSchema } from '#lib/agents/purpose.ts';
import { constraintSchema, snapshotSchema } from '#lib/agents/snapshot.ts';

/** What pages and programs read about requests. Instants are RFC 3339 text, so that both see the same. */
const instant = z.string();
const risk = z.enum(['low', 'medium', 'high']);
const requestState = z.enum([
  'draft',
  'submitted',
  'changes requested',
  'approved',
  'rejected',
  'withdrawn',
  'expired',
]);
const person = z.object({ personId: z.string(), displayName: z.string() });

export const requestRowSchema = z
  .object({
    id: z.string(),
    number: z.int(),
    label: z.string(),
    kind: z.enum(['new', 'change', 'reinstate']),
    state: requestState,
    risk,
    agentId: z.string(),
    agentName: z.string(),
    clientClass: z.string(),
    owner: person,
    servers: z.array(z.string()),
    toolCount: z.int(),
    lifetimeSeconds: z.int(),
    revision: z.int(),
    createdAt: instant,
    submittedAt: instant.nullable(),
    decidedAt: instant.nullable(),
    expiresAt: instant.nullable(),
    /** When a decision is owed; null while none is. */
    reviewDueAt: instant.nullable(),
    votes: z.int(),
    requiredApprovals: z.int(),
    /** An approval gave less than was asked. */
    narrowed: z.boolean(),
    /** Until when a browser of the owner waits for this decision; null when none does. */
    browserWaitsUntil: instant.nullable(),
  })
  .meta({ id: 'RequestRow' });
export type RequestRow = z.output<typeof requestRowSchema>;

export const requestPageSchema = z.object({
  items: z.array(requestRowSchema),
  nextCursor: z.string().nullable(),
  /** How many there are in each state, under the same scope and search. */
  counts: z.record(z.string(), z.int()),
});
export type RequestPage = z.output<typeof requestPageSchema>;

export const queueRowSchema = requestRowSchema.extend({
  /** Why the viewer cannot decide it; null when they can. */
  conflict: z.string().nullable(),
  voted: z.boolean(),
  /** Lines that widen what was approved last; for a first request every tool. */
  widens: z.int(),
  contradictions: z.int(),
  verdict: z.enum(['permit', 'deny', 'needs_review']),
});
export type QueueRow = z.output<typeof queueRowSchema>;

export const diffLineSchema = z
  .object({
    key: z.string(),
    subject: z.enum(['agent', 'owner', 'purpose', 'lifetime', 'tool', 'client']),
    label: z.string(),
    change: z.enum(['added', 'removed', 'changed']),
    before: z.string().nullable(),
    after: z.string().nullable(),
    effect: z.enum(['widens', 'narrows', 'neutral']),
  })
  .meta({ id: 'DiffLine' });

const reason = z.object({ code: z.string(), text: z.string(), remedy: z.string().nullable() });
export const verdictSchema = z
  .object({
    outcome: z.enum(['permit', 'deny', 'needs_review']),
    policyVersion: z.string(),
    tools: z.array(
      z.object({
        toolId: z.string(),
        name: z.string(),
        serverId: z.string(),
        outcome: z.enum(['permit', 'deny', 'needs_review']),
        reasons: z.array(reason),
        policies: z.array(z.string()),
      }),
    ),
  })
  .meta({ id: 'Verdict' });

export const toolLineSchema = z
  .object({
    toolId: z.string(),
    serverId: z.string(),
    server: z.string(),
    name: z.string(),
    class: z.enum(['read', 'write', 'destructive', 'external', 'unclassified']),
    risk,
    version: z.int(),
    definitionDigest: z.string(),
    constraints: z.array(constraintSchema),
    justification: z.string(),
    title: z.string().nullable(),
    description: z.string(),
    inputSchema: z.unknown(),
    /** What the server itself says about the tool: untrusted. */
    hints: z.record(z.string(), z.unknown()),
    /** Why the class was proposed, and whether a person confirmed it. */
    classReason: z.string(),
    classConfirmed: z.boolean(),
    /** Other active agents that hold it. */
    holders: z.int(),
    /** The definition approved last, when it is another one now. */
    previous: z.object({ version: z.int(), description: z.string(), inputSchema: z.unknown() }).nullable(),
    change: z.enum(['added', 'changed', 'same']),
    verdict: z.object({
      outcome: z.enum(['permit', 'deny', 'needs_review']),
      reasons: z.array(reason),
    }),
  })
  .meta({ id: 'ToolLine' });
export type ToolLineView = z.output<typeof toolLineSchema>;

const voteSchema = z.object({
  voter: person,
  verdict: z.enum(['approve', 'approve narrowed', 'request changes', 'reject']),
  reason: z.string(),
  decidedAt: instant,
  revision: z.int(),
  /** What the voter signed it with; null where no signature is needed. */
  signedWith: z.enum(['passkey', 'command line']).nullable(),
  /** Counts towards the revision under decision. */
  current: z.boolean(),
});

export const historyEntrySchema = z.object({
  id: z.string(),
  at: instant,
  kind: z.string(),
  says: z.string(),
  actorName: z.string(),
  reason: z.string(),
  changes: z.array(
    z.object({
      label: z.string(),
      effect: z.string(),
      before: z.string().nullable(),
      after: z.string().nullable(),
    }),
  ),
});

const partSchema = z.object({ text: z.string(), tone: z.enum(['plain', 'strong', 'untrusted']) });

export const requestDetailSchema = requestRowSchema
  .extend({
    summary: z.string(),
    summaryParts: z.array(partSchema),
    snapshotDigest: z.string(),
    purpose: purposeSchema,
    deputy: person.nullable(),
    createdBy: person,
    tools: z.array(
      z.object({
        toolId: z.string(),
        serverId: z.string(),
        server: z.string(),
        name: z.string(),
        class: z.enum(['read', 'write', 'destructive', 'external', 'unclassified']),
        risk,
        constraints: z.array(constraintSchema),
        justification: z.string(),
        toolSetVersionId: z.string().nullable(),
        /** Whether the decision kept it; null while there is none. */
        granted: z.boolean().nullable(),
        grantedConstraints: z.array(constraintSchema),
      }),
    ),
    grantedLifetimeSeconds: z.int().nullable(),
    grantedDigest: z.string().nullable(),
    agentState: z.string(),
    decision: z
      .object({ by: z.array(person), verdict: z.string(), reason: z.string(), at: instant })
      .nullable(),
    votesCast: z.array(voteSchema),
    /** What to do now, in a sentence for the owner. */
    nextStep: z.string(),
    /** After a refusal: what would have to be different, in sentences. Empty otherwise. */
    enough: z.array(z.string()),
    /** The form that asks for all of it again, filled in; null where that is not the way. */
    askAgainHref: z.string().nullable(),
    approvers: z.array(person),
    missingApprover: z.string().nullable(),
    comments: z.array(z.object({ id: z.string(), author: person, text: z.string(), createdAt: instant })),
    history: z.array(historyEntrySchema),
    previousRequest: z.object({ id: z.string(), label: z.string(), state: requestState }).nullable(),
    verdict: verdictSchema,
    can: z.object({
      edit: z.boolean(),
      submit: z.boolean(),
      withdraw: z.boolean(),
      comment: z.boolean(),
      askAgain: z.boolean(),
    }),
  })
  .meta({ id: 'Request' });
export type RequestDetail = z.output<typeof requestDetailSchema>;

export const reviewSchema = requestRowSchema
  .extend({
    snapshotDigest: z.string(),
    /** The snapshot the digest is over: every fact a decision is made on. */
    snapshot: snapshotSchema,
    summary: z.string(),
    summaryParts: z.array(partSchema),
    verdict: verdictSchema,
    evidence: z.array(
      z.object({
        kind: z.string(),
        status: z.enum(['proved', 'observed', 'claimed', 'contradicted']),
        label: z.string(),
        text: z.string(),
        untrusted: z.boolean(),
        warning: z.string().nullable(),
        method: z.string(),
        establishedAt: instant,
        proofDigest: z.string().nullable(),
      }),
    ),
    toolLines: z.array(toolLineSchema),
    /** What earlier votes on this revision left of it; what is approved now starts from here. */
    proposed: z.object({
      lifetimeSeconds: z.int(),
      tools: z.array(z.object({ toolId: z.string(), constraints: z.array(constraintSchema) })),
    }),
    difference: z.array(diffLineSchema),
    lastApproval: z
      .object({ requestId: z.string(), label: z.string(), decidedAt: instant.nullable() })
      .nullable(),
    lineage: z.array(
      z.object({
        id: z.string(),
        label: z.string(),
        kind: z.string(),
        state: requestState,
        decidedAt: instant.nullable(),
        createdAt: instant,
      }),
    ),
    ambient: z.object({ ownerAgents: z.int(), earlierRequests: z.int(), refusedBefore: z.int() }),
    /** Facts of the snapshot that are no longer so. */
    stale: z.array(z.object({ what: z.string(), id: z.string(), name: z.string(), text: z.string() })),
    votesCast: z.array(voteSchema),
    comments: requestDetailSchema.shape.comments,
    history: z.array(historyEntrySchema),
    approvers: z.array(person),
    missingApprover: z.string().nullable(),
    /** Why the viewer cannot decide; null when they can. */
    cannotDecide: z.string().nullable(),
    /** What the viewer can sign an approval with here; null when they have nothing yet. */
    signsWith: z.enum(['passkey', 'demo']).nullable(),
    decision: requestDetailSchema.shape.decision,
    grantedDigest: z.string().nullable(),
    grantedLifetimeSeconds: z.int().nullable(),
    grantedTools: z.array(z.string()).nullable(),
  })
  .meta({ id: 'Review' });
export type Review = z.output<typeof reviewSchema>;
