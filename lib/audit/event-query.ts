import { z } from 'zod';
import { queryText } from '#lib/platform/query-text.ts';
import { splitWords } from './words.ts';

/** Properties of events that a search narrows by; several values of one widen, several properties narrow. */
export const facetNames = [
  'kind',
  'outcome',
  'actor',
  'agent',
  'client',
  'server',
  'tool',
  'subject',
  'request',
] as const;
export type FacetName = (typeof facetNames)[number];

const values = z.array(queryText.min(1).max(2_048)).max(50).default([]);

/** RFC 3339, or a date alone for its first instant in UTC. */
const instant = z
  .string()
  .max(40)
  .refine(
    (text) => /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/.test(text),
    {
      message: 'must be a date or an RFC 3339 instant, such as 2026-03-02 or 2026-03-02T09:30:00Z',
    },
  )
  .transform((text) => new Date(text))
  .refine((date) => !Number.isNaN(date.getTime()), { message: 'is not a date of the calendar' });

export const eventQuerySchema = z.object({
  kind: values,
  outcome: z
    .array(z.enum(['done', 'refused']))
    .max(2)
    .default([]),
  actor: values,
  agent: values,
  client: values,
  server: values,
  tool: values,
  subject: values,
  request: values,
  /** From this instant on. */
  from: instant.optional(),
  /** Up to and without this instant. */
  to: instant.optional(),
  /** Words, an id, a request number such as CS-12, or part of the name of an agent, client, person or server. */
  q: queryText.trim().max(200).default(''),
});
export type EventQuery = z.output<typeof eventQuerySchema>;
export type EventQueryInput = z.input<typeof eventQuerySchema>;

/** Column behind each facet. The list is closed: nothing a caller sends becomes a column. */
export const facetColumns: Record<FacetName, string> = {
  kind: 'kind',
  outcome: 'outcome',
  actor: 'actor_id',
  agent: 'agent_id',
  client: 'client_id',
  server: 'server_id',
  tool: 'tool',
  subject: 'subject_id',
  request: 'request_ref',
};

/** A text as a LIKE pattern that means itself, anywhere. */
export function containsPattern(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, (character) => `\\${character}`)}%`;
}

/**
 * The words of a search in the text form of a tsquery: all of them, each as a prefix once it is long
 * enough to be worth it. Null when nothing searchable is left. Operators in the text are words like any other.
 */
export function wordsQuery(terms: readonly string[]): string | null {
  const parts = terms
    .flatMap(splitWords)
    .slice(0, 12)
    .map((word) => `'${word}'${word.length >= 4 ? ':*' : ''}`);
  return parts.length > 0 ? parts.join(' & ') : null;
}

export const requestNumberPattern = /^CS-([1-9][0-9]{0,8})$/i;
