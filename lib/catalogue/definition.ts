import { canonicalJson } from '#lib/platform/canonical-json.ts';
import { sha256 } from '#lib/platform/crypto.ts';

export type ToolClass = 'read' | 'write' | 'destructive' | 'external' | 'unclassified';
export type ToolRisk = 'low' | 'medium' | 'high';
export const toolClasses = ['read', 'write', 'destructive', 'external', 'unclassified'] as const;
export const toolRisks = ['low', 'medium', 'high'] as const;

/** Hints a server gives about its tool (MCP ToolAnnotations). They are the server's word about itself. */
export type ToolAnnotations = {
  title?: string;
  readOnlyHint?: boolean;
  destructiveHint?: boolean;
  idempotentHint?: boolean;
  openWorldHint?: boolean;
};

/** What a server says a tool is: everything a reviewer reads and a model is told. */
export type ToolDefinition = {
  name: string;
  title: string | null;
  description: string;
  inputSchema: object;
  outputSchema: object | null;
  annotations: ToolAnnotations | null;
};

/** SHA-256 over the RFC 8785 form, base64url: a changed comma in a description is a different tool. */
export function definitionDigest(definition: ToolDefinition): string {
  return sha256(canonicalJson(definition));
}

export type Proposal = { class: ToolClass; risk: ToolRisk; reason: string };

/**
 * A class and risk to start the person who confirms from. A hint that is missing counts as its worst value, as the
 * MCP specification's defaults do, and no hint at all proposes nothing.
 */
export function proposeClass(annotations: ToolAnnotations | null): Proposal {
  const hints = annotations ?? {};
  const given = (['readOnlyHint', 'destructiveHint', 'openWorldHint'] as const).filter(
    (hint) => hints[hint] !== undefined,
  );
  if (given.length === 0) {
    return {
      class: 'unclassified',
      risk: 'high',
      reason: 'The server gives no hint about what this tool does.',
    };
  }
  const reachesOut = hints.openWorldHint !== false;
  if (hints.readOnlyHint === true) {
    return reachesOut
      ? {
          class: 'read',
          risk: 'medium',
          reason: 'The server says it only reads, and may read from anywhere.',
        }
      : { class: 'read', risk: 'low', reason: 'The server says it only reads, and only its own data.' };
  }
  if (hints.destructiveHint !== false) {
    return {
      class: 'destructive',
      risk: 'high',
      reason: 'The server says it may destroy data, or does not say that it cannot.',
    };
  }
  return reachesOut
    ? {
        class: 'external',
        risk: 'high',
        reason: 'The server says it changes things, and reaches outside itself.',
      }
    : {
        class: 'write',
        risk: 'medium',
        reason: 'The server says it adds or changes, without destroying, in its own data.',
      };
}
