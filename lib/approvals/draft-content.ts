import { maskSecrets } from '#lib/registration/pasted-secrets.ts';

/** What a person typed into the form of a request, complete or not. Never a private key: that half stays in the browser. */
export type DraftContent = {
  agentName: string;
  deputyId: string | null;
  clientKind: 'key' | 'carried' | 'metadata document';
  key: { way: 'make' | 'paste'; text: string; madeThumb: string };
  url: string;
  purpose: {
    task: string;
    systems: string;
    dataClass: 'public' | 'internal' | 'confidential' | 'restricted';
    attended: boolean;
    endCondition: string;
    ticket: string;
  };
  lifetime: {
    seconds: number | null;
    custom: { amount: string; unit: 'minutes' | 'hours' | 'days' } | null;
  };
  tools: { chosen: Record<string, { justification: string }>; sets: Record<string, string> };
};

/** The same without the secrets in it: what is typed by mistake must not last. A key set that holds one goes whole. */
export function withoutSecrets(content: DraftContent): DraftContent {
  const clean = (text: string) => maskSecrets(text, null).text;
  const { key, purpose, tools } = content;
  return {
    ...content,
    agentName: clean(content.agentName),
    url: clean(content.url),
    key: maskSecrets(key.text, null).secrets.length > 0 ? { ...key, text: '', madeThumb: '' } : key,
    purpose: {
      ...purpose,
      task: clean(purpose.task),
      systems: clean(purpose.systems),
      endCondition: clean(purpose.endCondition),
      ticket: clean(purpose.ticket),
    },
    tools: {
      ...tools,
      chosen: Object.fromEntries(
        Object.entries(tools.chosen).map(([toolId, { justification }]) => [
          toolId,
          { justification: clean(justification) },
        ]),
      ),
    },
  };
}
