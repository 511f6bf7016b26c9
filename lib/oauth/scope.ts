/** The scope every token carries: may connect to the server it is for, and nothing more. */
export const BASE_SCOPE = 'mcp';
const TOOL_PREFIX = 'tool:';

/** What a client asked for. A hint for the claim page, never an error and never a grant. */
export type RequestedScope = {
  /** Tool names asked for, in order, each once. */
  tools: string[];
  /** Whether the base scope was asked for. */
  base: boolean;
  /** Scope tokens that mean nothing here, kept to show a reviewer what the client expects. */
  unknown: string[];
};

/** Scope tokens read from one request; more are ignored, as unknown ones are. */
const MAX_SCOPE_TOKENS = 256;
/** RFC 6749 §3.3: printable ASCII without space, `"` and `\`. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
const PLAIN_TOOL_CHARACTER = /[A-Za-z0-9_.-]/;

/**
 * The scope token of a tool: `tool:` and the tool's name as UTF-8, percent-encoded except for the characters MCP
 * names are made of (A–Z a–z 0–9 _ . -). One name has one token and one token one name.
 * Throws TypeError for a name that no UTF-8 can carry.
 */
export function toToolScope(toolName: string): string {
  if (toolName === '' || !toolName.isWellFormed()) throw new TypeError('tool name cannot be a scope');
  let token = TOOL_PREFIX;
  for (const byte of Buffer.from(toolName, 'utf8')) {
    const character = String.fromCharCode(byte);
    token += PLAIN_TOOL_CHARACTER.test(character)
      ? character
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return token;
}

/** The tool a scope token names, or null when it names none or is not written as `toToolScope` writes it. */
export function toToolName(scopeToken: string): string | null {
  if (!scopeToken.startsWith(TOOL_PREFIX)) return null;
  let name: string;
  try {
    name = decodeURIComponent(scopeToken.slice(TOOL_PREFIX.length));
  } catch {
    return null;
  }
  // `tool:%61` and `tool:a` must not both mean the tool a.
  return name !== '' && toToolScope(name) === scopeToken ? name : null;
}

/**
 * Reads a requested scope (RFC 6749 §3.3). Unknown, malformed and repeated tokens are no error: clients send
 * `openid email profile` out of habit, and what is granted comes from approvals alone.
 */
export function readRequestedScope(scope: string | undefined): RequestedScope {
  const requested: RequestedScope = { tools: [], base: false, unknown: [] };
  const tokens = new Set((scope ?? '').split(' ', MAX_SCOPE_TOKENS * 2));
  let count = 0;
  for (const token of tokens) {
    if (!SCOPE_TOKEN.test(token) || ++count > MAX_SCOPE_TOKENS) continue;
    const tool = toToolName(token);
    if (tool !== null) requested.tools.push(tool);
    else if (token === BASE_SCOPE) requested.base = true;
    else requested.unknown.push(token);
  }
  return requested;
}

/**
 * The scope of a token that may call exactly these tools: the base scope, then the tools in a fixed order.
 * Always sent with a token: clients decide from it whether to ask for more.
 */
export function toGrantedScope(toolNames: Iterable<string>): string {
  return [BASE_SCOPE, ...[...new Set(toolNames)].map(toToolScope).sort()].join(' ');
}
