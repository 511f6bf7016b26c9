import type { Snapshot, SnapshotTool } from './snapshot.ts';

export type Risk = 'low' | 'medium' | 'high';
const order: readonly Risk[] = ['low', 'medium', 'high'];

export function riskRank(risk: Risk): number {
  return order.indexOf(risk);
}

/** A request is as risky as its riskiest tool; one without any tool is low. */
export function riskOf(tools: readonly Pick<SnapshotTool, 'risk'>[]): Risk {
  return tools.reduce<Risk>((worst, { risk }) => (riskRank(risk) > riskRank(worst) ? risk : worst), 'low');
}

/**
 * How many approvers must agree. One, but two where a high-risk tool meets restricted data: there one person's
 * mistake is not undone by a revocation.
 */
export function requiredApprovals(snapshot: Pick<Snapshot, 'tools' | 'purpose'>): number {
  return snapshot.purpose.dataClass === 'restricted' && riskOf(snapshot.tools) === 'high' ? 2 : 1;
}

/** Whether granting these tools takes a signature: anything but reading does, and so does what nobody has classified. */
export function needsSignature(tools: readonly Pick<SnapshotTool, 'class'>[]): boolean {
  return tools.some((tool) => tool.class !== 'read');
}
