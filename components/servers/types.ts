export type ToolFacts = {
  toolId: string;
  toolVersionId: string;
  version: number;
  name: string;
  title: string | null;
  description: string;
  inputSchema: unknown;
  outputSchema: unknown;
  annotations: Readonly<Record<string, unknown>> | null;
  definitionDigest: string;
  class: string;
  risk: string;
  proposedClass: string;
  proposedRisk: string;
  proposedReason: string;
  confirmedAt: Date | null;
  firstSeenAt: Date;
  removedAt: Date | null;
};

export type ServerFacts = {
  id: string;
  name: string;
  description: string;
  resource: string;
  upstreamUrl: string | null;
  environment: string;
  state: string;
  protocolRevision: string | null;
  createdAt: Date;
  lastSyncedAt: Date | null;
  lastSyncError: string | null;
  tools: ToolFacts[];
};

export type ToolHistory = {
  version: number;
  seenAt: Date;
  title: string | null;
  description: string;
  inputSchema: unknown;
  definitionDigest: string;
  class: string;
  risk: string;
  confirmedAt: Date | null;
  confirmedBy: string | null;
};

export type UseFacts = {
  agents: {
    id: string;
    name: string;
    state: string;
    owner: string;
    tools: string[];
    lastUsedAt: string | null;
  }[];
  hiddenAgents: number;
  guards: { id: string; name: string; state: string; version: string; lastSeenAt: string | null }[];
};

export type ClassifyLine = {
  toolVersionId: string;
  class: 'read' | 'write' | 'destructive' | 'external';
  risk: 'low' | 'medium' | 'high';
};
