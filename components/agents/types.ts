/** An agent as `/api/v1/agents` tells of it. */
export type AgentRow = {
  id: string;
  name: string;
  state: 'pending' | 'active' | 'suspended' | 'revoked' | 'expired';
  stateCause: string | null;
  stateSince: string;
  clientClass: string;
  environment: string;
  owner: { personId: string; displayName: string };
  deputy: { personId: string; displayName: string } | null;
  servers: string[];
  toolCount: number;
  risk: 'low' | 'medium' | 'high' | null;
  clients: number;
  createdAt: string;
  lastUsedAt: string | null;
  endsAt: string | null;
};
export type AgentPage = { items: AgentRow[]; nextCursor: string | null; counts: Record<string, number> };

export type FacetCount = { value: string; label?: string; count: number };
export type AgentFacets = {
  servers: FacetCount[];
  owners: FacetCount[];
  ends: FacetCount[];
  use: FacetCount[];
};

export const agentFilterNames = [
  'state',
  'scope',
  'serverId',
  'ownerId',
  'ends',
  'use',
  'q',
  'cursor',
] as const;
export type AgentFilters = Partial<Record<(typeof agentFilterNames)[number], string>>;

export type StopEffect = 'suspend' | 'revoke';
export const stopCauseWords: Record<string, { label: string; hint: string }> = {
  administrative: {
    label: 'Administrative',
    hint: 'No harm suspected. Sign-ins are kept for a reinstatement.',
  },
  compromise: { label: 'Compromise', hint: 'Somebody else may have its credentials. Every sign-in ends.' },
  reuse: { label: 'Credential reused', hint: 'A token was seen from two places. Every sign-in ends.' },
  'key change': { label: 'Key changed', hint: 'Its key is not the approved one. Every sign-in ends.' },
  'origin change': {
    label: 'Origin changed',
    hint: 'It comes from somewhere else than approved. Every sign-in ends.',
  },
  'owner left': {
    label: 'Owner left',
    hint: 'Nobody answers for it now. Sign-ins are kept for a new owner.',
  },
};
