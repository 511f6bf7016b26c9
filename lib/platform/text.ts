import { CONFUSABLE_CODE_POINTS } from '#lib/platform/confusables.ts';
import { HIDDEN, toVisibleSegments } from './visible-text.ts';

/**
 * Text written by a party we do not trust (client names, purposes, tool descriptions). Nothing here changes what
 * is stored: these functions say how to show it so that a reader sees what is there, and what to warn about.
 */

const HIDDEN_GLOBAL = new RegExp(HIDDEN.source, 'gu');
const BIDI_CONTROL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
/** More marks on one letter than any orthography stacks: text that climbs over its neighbours. */
const STACKED_MARKS = /\p{M}{5,}/u;
/** The text with every hidden character written as `⟨U+202E⟩`: for logs, mails, titles and plain-text answers. */
export function revealHidden(text: string, options: { multiline?: boolean } = {}): string {
  return toVisibleSegments(text, options)
    .map((segment) => (segment.kind === 'hidden' ? `⟨${segment.text}⟩` : segment.text))
    .join('');
}

/**
 * At most `maxLength` code points, never half a surrogate pair, with an ellipsis for what was cut.
 * `omitted` is how many code points are missing, so that a screen can offer the rest.
 */
export function truncateText(text: string, maxLength: number): { text: string; omitted: number } {
  // A string of n code units has at most n code points, which spares counting the usual short text.
  if (text.length <= maxLength) return { text, omitted: 0 };
  const characters = [...text];
  if (characters.length <= maxLength) return { text, omitted: 0 };
  return {
    text: `${characters.slice(0, maxLength).join('').trimEnd()}…`,
    omitted: characters.length - maxLength,
  };
}

/** One line for lists, titles and logs: hidden characters revealed, then cut. */
export function toOneLine(text: string, maxLength: number): string {
  return truncateText(revealHidden(text), maxLength).text;
}

const LOOKS_LIKE = new Map<string, string>(
  Object.entries(CONFUSABLE_CODE_POINTS).flatMap(([looksLike, codePoints]) =>
    codePoints
      .split(' ')
      .map((hex): [string, string] => [String.fromCodePoint(Number.parseInt(hex, 16)), looksLike]),
  ),
);

/** Longest text compared with known names; the rest of a longer one cannot make it look less alike. */
const MAX_COMPARED_LENGTH = 512;

/** Plain lower-case letters for look-alike characters, marks and hidden characters gone; Latin itself untouched. */
function toPlainLetters(text: string): string {
  let plain = '';
  const visible = text
    .slice(0, MAX_COMPARED_LENGTH)
    .toWellFormed()
    .replace(HIDDEN_GLOBAL, (hidden) => (/\s/u.test(hidden) ? ' ' : ''));
  for (const character of visible.normalize('NFKD').replace(/\p{M}/gu, '')) {
    plain += LOOKS_LIKE.get(character) ?? LOOKS_LIKE.get(character.toLowerCase()) ?? character;
  }
  return plain.normalize('NFKC').toLowerCase();
}

/**
 * What the text looks like, as one key: two texts a reader may take for each other have the same skeleton
 * (after Unicode Technical Standard #39, made coarser: case, marks, spaces and punctuation do not count, and the
 * Latin twins 0/o, 1/l/i, rn/m and vv/w fall together). For comparing only; never shown, never stored as a name.
 */
export function skeletonOf(text: string): string {
  return foldLatinTwins(toPlainLetters(text)).replace(/[^\p{L}\p{N}]/gu, '');
}

function foldLatinTwins(plain: string): string {
  return plain
    .replace(/[i1|!]/g, 'l')
    .replace(/[0]/g, 'o')
    .replace(/5|\$/g, 's')
    .replace(/rn/g, 'm')
    .replace(/vv/g, 'w');
}

/**
 * Whether a name that borrows letters from other scripts could be read as an ASCII name: a domain label in Cyrillic
 * that spells a Latin word. Accents are no disguise, and ASCII names are not look-alikes of themselves.
 */
export function looksLikeAscii(text: string): boolean {
  if (!/(?!\p{Script=Latin})\p{L}/u.test(text)) return false;
  return /^[\x20-\x7e]+$/.test(toPlainLetters(text));
}

/** Vendors and products whose names strangers like to wear. Names only: wearing one truly proves nothing either. */
export const KNOWN_VENDOR_NAMES: readonly string[] = [
  ...[
    'Amazon',
    'Anthropic',
    'Asana',
    'Atlassian',
    'AWS',
    'Azure',
    'Bedrock',
    'ChatGPT',
    'Claude',
    'Cloudflare',
  ],
  ...['Codex', 'Copilot', 'Countersign', 'Cursor', 'Databricks', 'DeepSeek', 'Dropbox', 'Figma', 'Gemini'],
  ...['GitHub', 'GitLab', 'Goose', 'Google', 'Grafana', 'HubSpot', 'JetBrains', 'Jira', 'Linear', 'LinkedIn'],
  ...['MCP CLI Proxy', 'MCP Inspector', 'mcp-remote', 'Microsoft', 'Mistral', 'Notion', 'Okta', 'OpenAI'],
  ...[
    'opencode',
    'Perplexity',
    'Postman',
    'Replit',
    'Salesforce',
    'Sentry',
    'ServiceNow',
    'Slack',
    'Snowflake',
  ],
  ...[
    'Stripe',
    'Supabase',
    'Vercel',
    'Visual Studio Code',
    'VS Code',
    'Windsurf',
    'Workday',
    'Zapier',
    'Zed',
  ],
];

/**
 * How a text relates to a known vendor name: it says the name in plain letters, it shows it in other characters
 * (or with hidden ones between), or it is one slip away from it.
 */
export type VendorResemblance = { vendor: string; kind: 'names' | 'look-alike' | 'near-miss' };

/** Shorter names are too near to ordinary words for a one-letter difference to mean anything. */
const SHORTEST_NEAR_MISS = 6;

type ComparableName = { vendor: string; lowerCase: string; skeleton: string };
const toComparable = (vendor: string): ComparableName => ({
  vendor,
  lowerCase: vendor.toLowerCase(),
  skeleton: skeletonOf(vendor),
});
const KNOWN_COMPARABLES = KNOWN_VENDOR_NAMES.map(toComparable);

/** The strongest resemblance to a known vendor name, or null. A look-alike outranks a plain mention. */
export function findVendorResemblance(
  text: string,
  vendors: readonly string[] = KNOWN_VENDOR_NAMES,
): VendorResemblance | null {
  const asWritten = text.slice(0, MAX_COMPARED_LENGTH).toLowerCase();
  const words = toPlainLetters(text).split(/[^\p{L}\p{N}$!|]+/u);
  const skeletons = words.map((word) => foldLatinTwins(word).replace(/[^\p{L}\p{N}]/gu, ''));
  const whole = skeletonOf(text);
  let mention: VendorResemblance | null = null;
  let nearMiss: VendorResemblance | null = null;
  const names = vendors === KNOWN_VENDOR_NAMES ? KNOWN_COMPARABLES : vendors.map(toComparable);
  for (const { vendor, lowerCase, skeleton } of names) {
    if (containsWords(asWritten, lowerCase)) {
      mention ??= { vendor, kind: 'names' };
      continue;
    }
    // Spaced-out letters ("C l a u d e") only show in the whole; a word inside longer text shows in the words.
    if (whole === skeleton || containsRun(skeletons, skeleton)) return { vendor, kind: 'look-alike' };
    if (skeleton.length >= SHORTEST_NEAR_MISS && skeletons.some((word) => isOneEditApart(word, skeleton))) {
      nearMiss ??= { vendor, kind: 'near-miss' };
    }
  }
  return mention ?? nearMiss;
}

function containsWords(text: string, words: string): boolean {
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + 1)) {
    const before = text.slice(Math.max(0, at - 1), at);
    const after = text.slice(at + words.length, at + words.length + 1);
    if (!/[\p{L}\p{N}\p{M}]/u.test(before) && !/[\p{L}\p{N}\p{M}]/u.test(after)) return true;
  }
  return false;
}

/** Whether consecutive words, put together, are the skeleton: "VS Code", "M1crosoft", "Open AI". */
function containsRun(words: readonly string[], skeleton: string): boolean {
  for (let start = 0; start < words.length; start++) {
    let joined = '';
    for (let end = start; end < words.length && joined.length < skeleton.length; end++) {
      joined += words[end];
      if (joined === skeleton && joined !== '') return true;
    }
  }
  return false;
}

/** One insertion, deletion, substitution or swap of neighbours. Linear: both ends are walked to the difference. */
function isOneEditApart(word: string, name: string): boolean {
  if (word === name || Math.abs(word.length - name.length) > 1) return false;
  let head = 0;
  while (head < word.length && head < name.length && word[head] === name[head]) head++;
  let tail = 0;
  while (
    tail < word.length - head &&
    tail < name.length - head &&
    word[word.length - 1 - tail] === name[name.length - 1 - tail]
  ) {
    tail++;
  }
  const wordRest = word.slice(head, word.length - tail);
  const nameRest = name.slice(head, name.length - tail);
  if (wordRest.length <= 1 && nameRest.length <= 1) return true;
  return wordRest.length === 2 && nameRest.length === 2 && wordRest === `${nameRest[1]}${nameRest[0]}`;
}

const SCRIPTS: readonly (readonly [string, RegExp])[] = [
  'Latin',
  'Cyrillic',
  'Greek',
  'Armenian',
  'Hebrew',
  'Arabic',
  'Cherokee',
  'Coptic',
  'Georgian',
  'Han',
  'Hangul',
  'Hiragana',
  'Katakana',
  'Thai',
  'Devanagari',
].map((script) => [script, new RegExp(`\\p{Script=${script}}`, 'u')] as const);

/** Scripts people write together in one word without meaning to deceive. */
const TOGETHER = new Set(['Han', 'Hangul', 'Hiragana', 'Katakana']);

/** Whether one word mixes scripts that no language mixes, as "Сlaude" with a Cyrillic first letter does. */
export function mixesScripts(text: string): boolean {
  return text
    .slice(0, MAX_COMPARED_LENGTH)
    .split(/[^\p{L}\p{M}]+/u)
    .some((word) => {
      const scripts = SCRIPTS.filter(([, pattern]) => pattern.test(word)).map(([script]) => script);
      return scripts.length > 1 && scripts.some((script) => script !== 'Latin' && !TOGETHER.has(script));
    });
}

/**
 * Turns of phrase meant for a model that reads the text rather than for a person. Finding one proves nothing and
 * missing one neither: it puts a mark beside the text for the reviewer. Every pattern is linear.
 */
const INSTRUCTION_PATTERNS: readonly RegExp[] = [
  /\b(?:ignore|disregard|forget|override|bypass)\s{1,4}(?:\w{1,16}\s{1,4}){0,4}(?:instructions?|prompts?|rules?|guidelines|polic(?:y|ies)|context|safety)\b/iu,
  /\b(?:system|developer|hidden)\s{1,4}(?:prompt|message|instructions?)\b/iu,
  /\b(?:do\s{1,4}not|don'?t|never)\s{1,4}(?:tell|inform|mention|reveal|notify|show|alert|ask)\b/iu,
  /\b(?:without|instead\s{1,4}of)\s{1,4}(?:telling|informing|asking|notifying|mentioning)\b/iu,
  /\byou\s{1,4}(?:are\s{1,4}now|must\s{1,4}(?:now|first|always|call|use|read|send)|are\s{1,4}an?\s{1,4}(?:ai|assistant|agent|model))\b/iu,
  /\b(?:act|behave|respond|reply)\s{1,4}(?:as|like)\s{1,4}(?:if|an?|the)\b/iu,
  /\b(?:as\s{1,4}an?\s{1,4}ai|dear\s{1,4}(?:ai|assistant|model|agent|llm)|(?:ai|llm)\s{1,4}(?:reviewers?|assistants?|agents?|models?))\b/iu,
  /\b(?:auto[- ]?approve|approve\s{1,4}(?:this|the|all|every|it)|mark\s{1,4}(?:\w{1,16}\s{1,4}){0,3}(?:as\s{1,4})?(?:safe|approved|trusted|low[- ]risk))\b/iu,
  /\b(?:pre-?approved|already\s{1,4}(?:approved|reviewed|verified)|no\s{1,4}review\s{1,4}(?:is\s{1,4})?(?:needed|required|necessary))\b/iu,
  /\bbefore\s{1,4}(?:using|calling|invoking|running|answering)\b[^.]{0,80}\b(?:read|send|call|include|pass|fetch)\b/iu,
  /\b(?:read|send|include|attach|exfiltrate|upload|post)\b[^.]{0,60}(?:~\/|\.ssh|id_rsa|\.env\b|credentials?|api[- ]?keys?|secrets?|passwords?|private\s{1,4}keys?)/iu,
  /<\s{0,4}\/?\s{0,4}(?:important|system|instructions?|assistant|user|secret|admin|tool_call|function_calls?)\b[^>]{0,80}>/iu,
  /(?:^|\n)\s{0,8}(?:system|assistant|user|human)\s{0,4}:/iu,
  /\[\s{0,4}(?:inst|system|important)\s{0,4}\]|<\|(?:im_start|im_end|system|endoftext)\|>/iu,
];

/** Longest text searched for instructions; tool descriptions are far shorter. */
const MAX_SEARCHED_LENGTH = 65_536;

/** Phrases that read like instructions to a model, in order of their pattern, each at most once. */
export function findInstructionLikeText(text: string): string[] {
  // Hidden characters between letters must not hide the phrase; look-alike letters must not either.
  const searched = text
    .slice(0, MAX_SEARCHED_LENGTH)
    .toWellFormed()
    .normalize('NFKC')
    .replace(HIDDEN_GLOBAL, (hidden) => (/\s/u.test(hidden) ? hidden : ''))
    .replace(
      /\P{ASCII}/gu,
      (character) =>
        // Lower case first: a capital Cyrillic І looks like l, but it stands for an i.
        LOOKS_LIKE.get(character.toLowerCase()) ?? LOOKS_LIKE.get(character) ?? character,
    );
  const found: string[] = [];
  for (const pattern of INSTRUCTION_PATTERNS) {
    const phrase = pattern.exec(searched)?.[0];
    if (phrase !== undefined) found.push(toOneLine(phrase.trim(), 120));
  }
  return found;
}

/** Everything worth a warning about one text, for the dossier beside it. */
export type TextFindings = {
  hiddenCharacters: number;
  bidirectionalControls: boolean;
  stackedMarks: boolean;
  mixedScripts: boolean;
  vendor: VendorResemblance | null;
  instructionLike: string[];
};

/** Judges a name or description. `multiline` says that line feeds and tabs belong to this kind of text. */
export function assessText(text: string, options: { multiline?: boolean } = {}): TextFindings {
  return {
    hiddenCharacters: toVisibleSegments(text, options).filter((segment) => segment.kind === 'hidden').length,
    bidirectionalControls: BIDI_CONTROL.test(text),
    stackedMarks: STACKED_MARKS.test(text),
    mixedScripts: mixesScripts(text),
    vendor: findVendorResemblance(text),
    instructionLike: findInstructionLikeText(text),
  };
}
