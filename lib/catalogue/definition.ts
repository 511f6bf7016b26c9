import { canonicalJson } from '#lib/platform/canonical-json.ts';
import { sha256 } from '#lib/platform/crypto.ts';
import { isStorableText } from '#lib/platform/query-text.ts';

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

/** Longer than any name in use; MCP advises 128. Names are in indexes, whose entries have a largest size. */
const maxNameLength = 256;
/** Deeper than any schema somebody wrote by hand or a library made. */
const maxDepth = 100;

/** Why a definition can be neither stored nor digested, for a sentence about its tool; null for one that can. */
export function findUnstorable(definition: ToolDefinition): string | null {
  if (definition.name === '') return 'has no name';
  if (definition.name.length > maxNameLength) return `has a name of more than ${maxNameLength} characters`;
  return findUnstorableValue(definition, 0);
}

function findUnstorableValue(value: unknown, depth: number): string | null {
  if (depth > maxDepth) return `is nested more than ${maxDepth} levels deep`;
  if (typeof value === 'string') {
    return isStorableText(value) ? null : 'contains U+0000 or half a character';
  }
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'contains a number beyond all limits';
  if (typeof value !== 'object' || value === null) return null;
  for (const [member, inner] of Object.entries(value)) {
    if (!isStorableText(member)) return 'contains U+0000 or half a character';
    const found = findUnstorableValue(inner, depth + 1);
    if (found) return found;
  }
  return null;
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
