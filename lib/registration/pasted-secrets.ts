/**
 * Secrets in text somebody pastes. Runs in their browser first, so that a secret of another service never leaves it, and
 * in the gate again, which trusts no browser. Pure, and in time linear in the text: nothing here is looked up.
 */

/** `ours` are secrets of this installation by their form; whether they exist is the gate's to say. */
export type PastedSecret = {
  ours: boolean;
  /** What it is, in words fit for a sentence. */
  name: string;
  value: string;
};

export type MaskedText = {
  /** The text with every secret replaced by `maskedSecret`. */
  text: string;
  secrets: PastedSecret[];
};

/** Stands where a secret stood: no quote, bracket or blank, so that JSON, URLs and commands keep their form. */
export const maskedSecret = '***removed***';

type Finder = { name: string; pattern: RegExp };

const before = '(?<![A-Za-z0-9_-])';
const after = '(?![A-Za-z0-9_-])';

const ourFinders: readonly Finder[] = [
  { name: 'an API token of Countersign', pattern: new RegExp(`${before}cs_[0-9A-Za-z]{46}${after}`, 'g') },
  { name: 'a client secret', pattern: new RegExp(`${before}css_[A-Za-z0-9_-]{43}${after}`, 'g') },
  {
    name: 'a refresh token or registration access token',
    pattern: new RegExp(`${before}csr_[A-Za-z0-9_-]{43}${after}`, 'g'),
  },
  { name: 'a token of an MCP server', pattern: new RegExp(`${before}crt_[A-Za-z0-9_-]{43}${after}`, 'g') },
];

const jwt = new RegExp(
  `${before}eyJ[A-Za-z0-9_-]{8,8000}\\.[A-Za-z0-9_-]{2,8000}\\.[A-Za-z0-9_-]{0,2000}`,
  'g',
);

/** Forms of other services, and places where whatever stands is a secret. `(?<secret>…)` is what is removed. */
const otherFinders: readonly Finder[] = [
  {
    name: 'a private key',
    pattern:
      /-----BEGIN (?:[A-Z]{1,12} )?PRIVATE KEY-----[^-]{0,16000}(?:-----END (?:[A-Z]{1,12} )?PRIVATE KEY-----)?/g,
  },
  { name: 'a key of an AI service (sk-…)', pattern: new RegExp(`${before}sk-[A-Za-z0-9_-]{16,300}`, 'g') },
  {
    name: 'a GitHub token',
    pattern: new RegExp(`${before}(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})`, 'g'),
  },
  { name: 'a GitLab token', pattern: new RegExp(`${before}glpat-[A-Za-z0-9_-]{16,100}`, 'g') },
  { name: 'an AWS access key id', pattern: new RegExp(`${before}(?:AKIA|ASIA)[A-Z0-9]{16}${after}`, 'g') },
  { name: 'a Slack token', pattern: new RegExp(`${before}xox[abeprs]-[A-Za-z0-9-]{10,250}`, 'g') },
  { name: 'a Google API key', pattern: new RegExp(`${before}AIza[A-Za-z0-9_-]{30,50}`, 'g') },
  { name: 'a webhook secret', pattern: new RegExp(`${before}whsec_[A-Za-z0-9+/]{24,100}={0,2}`, 'g') },
  { name: 'an npm token', pattern: new RegExp(`${before}npm_[A-Za-z0-9]{30,50}`, 'g') },
  {
    name: 'a password in a URL',
    pattern: /(?<=[A-Za-z]:\/\/)(?<secret>[^\s/?#@"'`<>]{1,1000})(?=@)/g,
  },
  {
    name: 'a credential of an Authorization header',
    pattern: /\b(?:bearer|basic|dpop)[ \t]{1,8}(?<secret>[A-Za-z0-9\-._~+/]{8,8000}={0,4})/gi,
  },
  {
    name: 'the password of a curl command',
    pattern:
      /(?<=[\s'"])(?:-u|--user)[ \t=]{0,8}(?<secret>"[^"\r\n]{1,500}"|'[^'\r\n]{1,500}'|[^\s'"-][^\s'"]{0,500})/g,
  },
  {
    name: 'a secret parameter of a URL or form',
    pattern:
      /(?<=[?&;\s'"])(?:access_token|refresh_token|id_token|token|api_?key|key|client_secret|password|secret|code|client_assertion)=(?<secret>[^&\s'"#]{6,8000})/gi,
  },
  {
    name: 'a secret member',
    pattern:
      /"(?:[A-Za-z0-9_.-]{0,60}(?:secret|password|passwd|token|api[_-]?key|apikey|private[_-]?key|credential)|x-api-key|cookie|d|k)"[ \t\r\n]{0,20}:[ \t\r\n]{0,20}"(?<secret>[^"\\\r\n]{6,8000})"/gi,
  },
  {
    name: 'a secret header',
    pattern:
      /(?<=['"\s])(?:x-api-key|api-key|x-auth-token|cookie|x-[a-z-]{0,40}token):[ \t]{0,8}(?<secret>[^'"\r\n]{6,8000})/gi,
  },
];

/** What names a place for a secret instead of being one: `${env:TOKEN}`, `<token>`, `$TOKEN`, `%TOKEN%`, `****`. */
const placeholder =
  /^(?:\$|<|%|\{\{|\*{3}|\[)|^(?:x{4,}|\.{3,}|your[-_ ].{0,60}|client_secret_(?:basic|post)|none|private_key_jwt)$/i;
const names = /^(?:https?:\/\/|urn:)/;

type Found = PastedSecret & { start: number; end: number };

/**
 * Finds secrets and takes them out. `issuer` tells this installation's access tokens from those of others; null leaves
 * every signed token with the others. The values found are in the answer: they are for the hand that ends them, never
 * for a log, a row or a page.
 */
export function maskSecrets(text: string, issuer: string | null): MaskedText {
  const found: Found[] = [];
  for (const { name, pattern } of ourFinders) collect(text, pattern, () => ({ ours: true, name }), found);
  collect(
    text,
    jwt,
    (value) =>
      issuer !== null && issuerOf(value) === issuer
        ? { ours: true, name: 'an access token' }
        : { ours: false, name: 'a signed token of another service' },
    found,
  );
  for (const { name, pattern } of otherFinders) collect(text, pattern, () => ({ ours: false, name }), found);
  found.sort((a, b) => a.start - b.start);
  let masked = '';
  let at = 0;
  for (const { start, end } of found) {
    masked += text.slice(at, start) + maskedSecret;
    at = end;
  }
  const seen = new Set<string>();
  return {
    text: masked + text.slice(at),
    secrets: found.flatMap((each) => {
      const { ours, name, value } = findInBasic(each) ?? each;
      if (seen.has(value)) return [];
      seen.add(value);
      return [{ ours, name, value }];
    }),
  };
}

/** Our own secret inside the base64 of a Basic credential (RFC 6749 §2.3.1), or null. */
function findInBasic({ ours, value }: PastedSecret): PastedSecret | null {
  if (ours || value.length > 1000 || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return null;
  try {
    const decoded = atob(value);
    for (const { name, pattern } of ourFinders) {
      const [match] = decoded.matchAll(pattern);
      if (match) return { ours: true, name, value: match[0] };
    }
  } catch {
    // Not base64 after all.
  }
  return null;
}

function collect(
  text: string,
  pattern: RegExp,
  nameOf: (value: string) => { ours: boolean; name: string },
  found: Found[],
): void {
  for (const match of text.matchAll(pattern)) {
    const given = match.groups?.secret ?? match[0];
    const value = given.replace(/^(["'])(.*)\1$/, '$2');
    if (value.length === 0 || placeholder.test(value) || names.test(value)) continue;
    const offset = match[0].lastIndexOf(given) + given.indexOf(value);
    const start = match.index + offset;
    const end = start + value.length;
    // What an earlier finder knew by its form keeps that name, and what lies around it is masked as well.
    const within = found.filter((each) => each.start < end && start < each.end);
    if (within.length === 0) {
      found.push({ ...nameOf(value), value, start, end });
    } else if (
      within.every((each) => start <= each.start && each.end <= end) &&
      within.every((each) => !each.ours)
    ) {
      const [first] = within;
      if (!first) continue;
      for (const each of within) found.splice(found.indexOf(each), 1);
      found.push({ ours: false, name: first.name, value, start, end });
    }
  }
}

/** The `iss` a signed token claims, unverified: it decides only where the token is sent to be ended. */
function issuerOf(token: string): string | null {
  try {
    const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const claims: unknown = JSON.parse(atob(payload));
    return typeof claims === 'object' && claims !== null && 'iss' in claims && typeof claims.iss === 'string'
      ? claims.iss
      : null;
  } catch {
    return null;
  }
}
