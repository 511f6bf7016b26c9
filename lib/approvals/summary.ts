import type { Snapshot, SnapshotTool } from '#lib/agents/snapshot.ts';
import { type DiffLine, describeSeconds } from './diff.ts';

/** A piece of the sentence. Untrusted pieces are somebody's own words and are shown as such. */
export type SummaryPart = { text: string; tone: 'plain' | 'strong' | 'untrusted' };

/**
 * The request in one sentence: who wants which agent to be able to do what, on which server, until when, and what is
 * new since the last approval. Pure.
 */
export function summarize(
  snapshot: Snapshot,
  difference: readonly DiffLine[],
  approvedBefore: boolean,
): SummaryPart[] {
  const plain = (text: string): SummaryPart => ({ text, tone: 'plain' });
  const strong = (text: string): SummaryPart => ({ text, tone: 'strong' });
  const untrusted = (text: string): SummaryPart => ({ text, tone: 'untrusted' });
  const parts: SummaryPart[] = [strong(snapshot.owner.displayName)];
  if (snapshot.kind === 'reinstate') {
    parts.push(plain(' wants '), untrusted(snapshot.agent.name), plain(' to work again, with '));
  } else {
    parts.push(plain(' wants '), untrusted(snapshot.agent.name), plain(' to use '));
  }
  parts.push(strong(countTools(snapshot.tools)), plain(` on ${servers(snapshot.tools)}`));
  const risky = describeRisky(snapshot.tools);
  if (risky) parts.push(plain(` (${risky})`));
  parts.push(
    plain(' for '),
    strong(describeSeconds(snapshot.lifetimeSeconds)),
    plain(
      `, ${snapshot.purpose.attended ? 'with a person watching' : 'unattended'}, on ${snapshot.purpose.dataClass} data.`,
    ),
  );
  if (snapshot.kind === 'change' || (approvedBefore && difference.length > 0)) {
    parts.push(plain(` ${describeDifference(difference)}`));
  } else if (!approvedBefore) {
    parts.push(plain(' Nothing of this agent was approved before.'));
  }
  return parts;
}

export function summaryText(parts: readonly SummaryPart[]): string {
  return parts.map(({ text }) => text).join('');
}

function countTools(tools: readonly SnapshotTool[]): string {
  return tools.length === 1 ? 'one tool' : `${tools.length} tools`;
}

function servers(tools: readonly SnapshotTool[]): string {
  const names = [...new Set(tools.map((tool) => tool.server))];
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(names);
}

const classWords: readonly (readonly [SnapshotTool['class'], string, string])[] = [
  ['destructive', 'one destroys', 'destroy'],
  ['external', 'one reaches outside', 'reach outside'],
  ['write', 'one writes', 'write'],
  ['unclassified', 'one is unclassified', 'are unclassified'],
];

function describeRisky(tools: readonly SnapshotTool[]): string {
  if (tools.length > 0 && tools.every((tool) => tool.class === 'read')) {
    return tools.length === 1 ? 'it only reads' : 'all only read';
  }
  const parts = classWords.flatMap(([name, one, many]) => {
    const count = tools.filter((tool) => tool.class === name).length;
    return count === 0 ? [] : [count === 1 ? one : `${count} ${many}`];
  });
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(parts);
}

function describeDifference(difference: readonly DiffLine[]): string {
  const count = (effect: DiffLine['effect']) => difference.filter((line) => line.effect === effect).length;
  const [widens, narrows] = [count('widens'), count('narrows')];
  if (difference.length === 0) return 'Nothing differs from what was approved last.';
  if (widens === 0 && narrows === 0) {
    return difference.some((line) => line.subject === 'client')
      ? 'Since the last approval the client changed what it says of itself.'
      : 'Since the last approval only wording changed.';
  }
  const parts = [
    widens > 0 ? `${widens} ${widens === 1 ? 'thing widens' : 'things widen'}` : null,
    narrows > 0 ? `${narrows} ${narrows === 1 ? 'narrows' : 'narrow'}` : null,
  ].filter((part) => part !== null);
  return `Since the last approval ${new Intl.ListFormat('en').format(parts)}.`;
}
