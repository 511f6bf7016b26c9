export type PickableServer = {
  id: string;
  name: string;
  tools: { toolId: string; name: string; class: string; risk: string; description: string }[];
};

type Server = {
  id: string;
  name: string;
  tools: readonly {
    toolId: string;
    name: string;
    class: string;
    risk: string;
    description: string;
    removedAt: Date | null;
  }[];
};

/** The tools of a catalogue that can be chosen now, by server. */
export function toPickableServers(servers: readonly Server[]): PickableServer[] {
  return servers
    .map((server) => ({
      id: server.id,
      name: server.name,
      tools: server.tools
        .filter((tool) => tool.removedAt === null)
        .map((tool) => ({
          toolId: tool.toolId,
          name: tool.name,
          class: tool.class,
          risk: tool.risk,
          description: tool.description.split('\n', 1)[0]?.slice(0, 200) ?? '',
        })),
    }))
    .filter((server) => server.tools.length > 0);
}
