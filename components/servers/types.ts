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
