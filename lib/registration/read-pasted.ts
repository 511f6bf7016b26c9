import { isClientIdUrl } from '#lib/oauth/client-id-metadata.ts';
import {
  type ClientMetadataPolicy,
  describeClientMetadataReason,
  parseClientMetadata,
} from '#lib/oauth/client-metadata.ts';
import { describeRedirectUriProblem, parseRedirectUri } from '#lib/oauth/redirect-uri.ts';
import { parseResource } from '#lib/oauth/resource.ts';
import type { JsonValue } from '#lib/platform/canonical-json.ts';
import {
  describeStrictJsonReason,
  isJsonObject,
  type ParsedObject,
  parseStrictJsonText,
} from '#lib/platform/strict-json.ts';
import { assessText, looksLikeAscii, toOneLine } from '#lib/platform/text.ts';
import { toVisibleSegments } from '#lib/platform/visible-text.ts';
import { type CurlCommand, describeCurlProblem, parseCurl } from './curl-command.ts';
import { maskedSecret } from './pasted-secrets.ts';
import { findPreset } from './redirect-presets.ts';

/** Longest text that is read, in UTF-8 bytes. */
export const maxPastedBytes = 64 * 1024;
const maxDepth = 12;
const mostServers = 20;
const mostLines = 60;
const shownLength = 160;

/** A line of the report about a paste. `value` is somebody's own text, never a secret. */
export type PasteLine = {
  kind: 'taken' | 'ignored' | 'corrected' | 'dangerous';
  what: string;
  value: string | null;
  why: string;
};

export type PastedKind =
  | 'client metadata'
  | 'MCP configuration'
  | 'curl command'
  | 'URL'
  | 'client id'
  | 'request'
  | 'agent'
  | 'nothing known';

/** What a text says about a client, before anything is looked up. */
export type PastedReading = {
  kind: PastedKind;
  lines: PasteLine[];
  /** A name for the agent, self-chosen by whoever wrote the text. */
  name: string | null;
  /** MCP servers it would call, as written. */
  serverUrls: string[];
  /** A client_id: a URL of a metadata document, or one this installation gave. */
  clientId: string | null;
  /** `CS-12`, `req_…` or `agt_…`: what the paste names here. */
  names: { number: number } | { requestId: string } | { agentId: string } | null;
  /** Public keys, as JSON text. */
  jwks: string | null;
  redirectUris: string[];
  /** The client a redirect or the form of the file points to. */
  product: string | null;
  /** Whether it presents a fixed credential instead of signing in. */
  presentsCredential: boolean;
};

/**
 * Reads what somebody pasted: client metadata (RFC 7591 §2), an MCP configuration of Claude Code, Cursor or VS Code, a
 * curl command, a URL, or a name of something here. Strict where the text is a format, and pure: nothing is fetched,
 * run or looked up. Every part of the text is accounted for by a line. Expects a text without secrets in it.
 */
export function readPasted(
  pasted: string,
  site: { consoleOrigin: string; policy: ClientMetadataPolicy },
): PastedReading {
  const reading: PastedReading = {
    kind: 'nothing known',
    lines: [],
    name: null,
    serverUrls: [],
    clientId: null,
    names: null,
    jwks: null,
    redirectUris: [],
    product: null,
    presentsCredential: false,
  };
  const report = new Report(reading.lines);
  if (new TextEncoder().encode(pasted).length > maxPastedBytes) {
    report.ignored('The whole text', null, `It is longer than ${maxPastedBytes / 1024} KB.`);
    return reading;
  }
  const text = pasted.trim();
  if (text === '') return reading;
  const hidden = toVisibleSegments(text, { multiline: true }).filter(
    (segment) => segment.kind === 'hidden' && segment.name !== 'tab' && segment.name !== 'carriage return',
  ).length;
  if (hidden > 0) {
    report.dangerous(
      hidden === 1 ? 'A hidden character' : `${hidden} hidden characters`,
      null,
      'Characters that show nothing can hide what a text really says. Ask whoever gave it to you why they are there.',
    );
  }
  if (text.startsWith('{') || text.startsWith('[')) readJson(text, reading, report, site.policy);
  else if (/^curl(?:\.exe)?(?=[\s\\])/.test(text)) readCurl(text, reading, report, site.policy);
  else readName(text, reading, report, site);
  return reading;
}

class Report {
  readonly #lines: PasteLine[];
  constructor(lines: PasteLine[]) {
    this.#lines = lines;
  }
  taken(what: string, value: string | null, why = '') {
    this.#add('taken', what, value, why);
  }
  ignored(what: string, value: string | null, why: string) {
    this.#add('ignored', what, value, why);
  }
  corrected(what: string, value: string | null, why: string) {
    this.#add('corrected', what, value, why);
  }
  dangerous(what: string, value: string | null, why: string) {
    this.#add('dangerous', what, value, why);
  }
  #add(kind: PasteLine['kind'], what: string, value: string | null, why: string) {
    if (this.#lines.length < mostLines) {
      this.#lines.push({
        kind,
        what: toOneLine(what, shownLength),
        value: value === null ? null : toOneLine(value, shownLength),
        why,
      });
    } else if (this.#lines.length === mostLines) {
      this.#lines.push({ kind: 'ignored', what: 'The rest', value: null, why: 'The report ends here.' });
    }
  }
}

function readName(
  text: string,
  reading: PastedReading,
  report: Report,
  { consoleOrigin }: { consoleOrigin: string },
): void {
  const number = /^CS-([0-9]{1,9})$/i.exec(text)?.[1];
  if (number !== undefined) {
    reading.kind = 'request';
    reading.names = { number: Number(number) };
    return;
  }
  const own = text.startsWith(`${consoleOrigin}/`) ? text.slice(consoleOrigin.length) : text;
  const id =
    /^(?:\/(?:requests|review|agents|clients)\/)?((req|agt|client)_[0-9a-f]{32})(?:\/(?:edit)?)?$/.exec(own);
  if (id?.[1] && id[2] === 'req') {
    reading.kind = 'request';
    reading.names = { requestId: id[1] };
  } else if (id?.[1] && id[2] === 'agt') {
    reading.kind = 'agent';
    reading.names = { agentId: id[1] };
  } else if (id?.[1]) {
    reading.kind = 'client id';
    reading.clientId = id[1];
  } else if (/^https?:\/\//i.test(text) && !/\s/.test(text)) {
    reading.kind = 'URL';
    const url = readUrl(text, 'The URL', report);
    if (url !== null) {
      reading.serverUrls.push(url);
      reading.clientId = url;
    }
  } else {
    report.ignored(
      'The text',
      text,
      'It is neither client metadata, a URL, an mcp.json, a curl command nor a client id or request number.',
    );
  }
}

function readCurl(text: string, reading: PastedReading, report: Report, policy: ClientMetadataPolicy): void {
  reading.kind = 'curl command';
  const parsed = parseCurl(text);
  if (!parsed.ok) {
    report.ignored('The command', null, describeCurlProblem(parsed.error));
    return;
  }
  const command = parsed.value;
  for (const header of command.headers) readHeader(header, reading, report);
  for (const option of new Set(command.ignored)) {
    if (option === '-k' || option === '--insecure')
      report.dangerous(option, null, 'It switches off the check of who answers. Do not use it with a token.');
    else if (option === '-u' || option === '--user' || option === '--oauth2-bearer') {
      reading.presentsCredential = true;
      report.ignored(option, null, 'A password or token of a command is not kept.');
    } else report.ignored(option, null, 'It says how to send, not who sends.');
  }
  readCurlBody(command, reading, report, policy);
  // A body of client metadata is sent to where clients register, which is no MCP server.
  if (reading.redirectUris.length > 0 || reading.jwks !== null) {
    report.ignored('The URL', command.url, 'It is where the metadata was to be registered.');
    return;
  }
  const url = readUrl(command.url, 'The URL of the command', report);
  if (url !== null) reading.serverUrls.push(url);
}

function readCurlBody(
  { body }: CurlCommand,
  reading: PastedReading,
  report: Report,
  policy: ClientMetadataPolicy,
): void {
  if (body === null) return;
  const parsed = body.trim().startsWith('{')
    ? parseStrictJsonText(body.trim(), { maxBytes: maxPastedBytes, maxDepth })
    : null;
  if (!parsed?.ok || !isJsonObject(parsed.value)) {
    report.ignored('What the command sends', null, 'It is not client metadata.');
  } else if (parsed.value.jsonrpc !== undefined) {
    report.ignored(
      'What the command sends',
      null,
      'It is a call of a tool. Which tools are needed is chosen below.',
    );
  } else {
    readMetadata(parsed.value, reading, report, policy);
  }
}

function readJson(text: string, reading: PastedReading, report: Report, policy: ClientMetadataPolicy): void {
  const parsed = parseStrictJsonText(text, { maxBytes: maxPastedBytes, maxDepth });
  if (!parsed.ok) {
    const hint = parsed.error.reason === 'syntax' ? ' Take comments and trailing commas out.' : '';
    report.ignored(
      'The whole text',
      null,
      `It is not JSON as it stands: ${describeStrictJsonReason(parsed.error)}.${hint}`,
    );
    return;
  }
  const { value } = parsed;
  if (!isJsonObject(value)) {
    report.ignored('The whole text', null, 'It is JSON, but not an object.');
    return;
  }
  const servers = value.mcpServers ?? value.servers;
  if (isJsonObject(servers)) {
    readConfiguration(value, servers, reading, report);
  } else if (isJsonObject(value.mcp) && isJsonObject(value.mcp.servers)) {
    readConfiguration(value.mcp, value.mcp.servers, reading, report);
  } else if (Array.isArray(value.keys) || typeof value.kty === 'string') {
    reading.kind = 'client metadata';
    readKeys(Array.isArray(value.keys) ? value : { keys: [value] }, reading, report, policy);
  } else {
    readMetadata(value, reading, report, policy);
  }
}

/** Claude Code and Cursor name their servers `mcpServers`, VS Code `servers` beside `inputs`. */
function readConfiguration(
  file: ParsedObject,
  servers: ParsedObject,
  reading: PastedReading,
  report: Report,
): void {
  reading.kind = 'MCP configuration';
  if (file.servers !== undefined) reading.product = 'VS Code';
  for (const member of Object.keys(file)) {
    if (member === 'mcpServers' || member === 'servers') continue;
    report.ignored(
      member,
      null,
      member === 'inputs'
        ? 'VS Code asks its user for these when it starts; no value of theirs is kept here.'
        : 'It says nothing about a registration.',
    );
  }
  const entries = Object.entries(servers);
  if (entries.length === 0) report.ignored('The list of servers', null, 'It is empty.');
  for (const [name, entry] of entries.slice(0, mostServers)) {
    if (isJsonObject(entry)) readServer(name, entry, reading, report);
    else report.ignored(`Server ${name}`, null, 'It is not an object.');
  }
  if (entries.length > mostServers)
    report.ignored('Further servers', null, `At most ${mostServers} are read from one file.`);
}

function readServer(name: string, entry: ParsedObject, reading: PastedReading, report: Report): void {
  const label = `Server ${name}`;
  const given = [entry.url, entry.httpUrl, entry.serverUrl].find((url) => typeof url === 'string');
  let url = typeof given === 'string' ? readUrl(given, label, report) : null;
  if (given === undefined && typeof entry.command === 'string') {
    const args = (Array.isArray(entry.args) ? entry.args : []).filter((each) => typeof each === 'string');
    if (![entry.command, ...args].some((each) => /(?:^|\/)mcp-remote(?:@[\w.-]{1,40})?$/.test(each))) {
      report.ignored(
        label,
        entry.command,
        'It starts a program on your computer: no server is asked, so nothing is registered.',
      );
      return;
    }
    const bridged = args.find((each) => /^https?:\/\//.test(each));
    reading.product = 'mcp-remote';
    url = bridged === undefined ? null : readUrl(bridged, label, report);
    if (url !== null) report.corrected(label, url, 'Read past mcp-remote to the server it leads to.');
  } else if (given === undefined) {
    report.ignored(label, null, 'It names neither a URL nor a program.');
    return;
  }
  if (url !== null) {
    reading.serverUrls.push(url);
    reading.name ??= readNameOf(`${name} agent`, report);
  }
  const { oauth, auth, headers } = entry;
  const clientId = isJsonObject(oauth) ? oauth.clientId : isJsonObject(auth) ? auth.CLIENT_ID : undefined;
  if (isJsonObject(oauth)) reading.product ??= 'Claude Code';
  if (isJsonObject(auth)) reading.product ??= 'Cursor, desktop and web';
  if (typeof clientId === 'string' && clientId !== maskedSecret && !/^[$<%{]/.test(clientId)) {
    reading.clientId ??= clientId;
    report.taken('Client id', clientId);
  }
  if (isJsonObject(headers)) {
    for (const [header, value] of Object.entries(headers)) {
      readHeader({ name: header, value: typeof value === 'string' ? value : '' }, reading, report);
    }
  }
  for (const member of Object.keys(entry)) {
    if (member === 'env' || member === 'envFile')
      report.ignored(`${label}: ${member}`, null, 'Environment of a program; no value of it is kept.');
    else if (!knownServerMembers.has(member))
      report.ignored(`${label}: ${member}`, null, 'It says nothing about a registration.');
  }
}

const knownServerMembers: ReadonlySet<string> = new Set([
  'url',
  'httpUrl',
  'serverUrl',
  'type',
  'transport',
  'command',
  'args',
  'oauth',
  'auth',
  'headers',
]);

function readHeader(
  { name, value }: { name: string; value: string },
  reading: PastedReading,
  report: Report,
): void {
  if (!/^(?:authorization|x-api-key|api-key|cookie|x-auth-token)$/i.test(name)) {
    if (!/^(?:accept|content-type|user-agent)$/i.test(name))
      report.ignored(`Header ${name}`, null, 'It says nothing about a registration.');
    return;
  }
  reading.presentsCredential = true;
  report.corrected(
    `Header ${name}`,
    null,
    value.includes('${') || value.includes('$')
      ? 'A fixed credential is replaced by short tokens of this installation.'
      : 'A fixed credential is replaced by short tokens of this installation. It was not kept.',
  );
}

function readMetadata(
  value: ParsedObject,
  reading: PastedReading,
  report: Report,
  policy: ClientMetadataPolicy,
): void {
  reading.kind = reading.kind === 'curl command' ? reading.kind : 'client metadata';
  const known = [
    'redirect_uris',
    'client_name',
    'jwks',
    'jwks_uri',
    'grant_types',
    'client_id',
    'software_id',
  ];
  if (!known.some((member) => Object.hasOwn(value, member))) {
    reading.kind = 'nothing known';
    report.ignored(
      'The whole text',
      null,
      'It is JSON, but neither client metadata (RFC 7591) nor an MCP configuration.',
    );
    return;
  }
  for (const member of ['client_secret', 'registration_access_token']) {
    if (value[member] !== undefined)
      report.ignored(member, null, 'A secret is no part of a request. It was not kept.');
  }
  if (typeof value.client_name === 'string') reading.name = readNameOf(value.client_name, report);
  if (typeof value.client_id === 'string') {
    reading.clientId = value.client_id;
    if (isClientIdUrl(value.client_id))
      report.corrected('client_id', value.client_id, 'The document is read from there, not from this text.');
    else report.taken('client_id', value.client_id);
  }
  const redirects: readonly JsonValue[] = Array.isArray(value.redirect_uris) ? value.redirect_uris : [];
  for (const uri of redirects.slice(0, mostServers)) {
    const parsed = parseRedirectUri(uri, policy);
    const shown = typeof uri === 'string' ? uri : null;
    if (!parsed.ok) {
      report.dangerous(
        'Redirect URI',
        shown,
        `It ${describeRedirectUriProblem(parsed.error)}. No client may come back there.`,
      );
    } else {
      reading.redirectUris.push(parsed.value.uri);
      report.taken('Redirect URI', shown, redirectWords[parsed.value.kind]);
    }
  }
  reading.product ??= findPreset(reading.redirectUris)?.client ?? null;
  if (value.jwks !== undefined) readKeys(value.jwks, reading, report, policy);
  if (value.jwks_uri !== undefined)
    report.ignored(
      'jwks_uri',
      null,
      'Keys behind a URL can change after the review. Paste the public keys themselves.',
    );
  readOtherMembers(value, report, policy);
}

const redirectWords = {
  https: 'A website: whoever runs that host receives the code.',
  loopback: 'A listener on the person’s own computer. Its port takes no part in matching.',
  'private-use scheme': 'An app that owns this scheme; any other app can claim it too.',
} as const;

const handledMembers: ReadonlySet<string> = new Set([
  'client_name',
  'client_id',
  'redirect_uris',
  'jwks',
  'jwks_uri',
  'client_secret',
  'registration_access_token',
]);

function readOtherMembers(value: ParsedObject, report: Report, policy: ClientMetadataPolicy): void {
  const { client_secret: _secret, redirect_uris: _uris, jwks: _jwks, jwks_uri: _jwksUri, ...rest } = value;
  // What is wrong elsewhere is worth a line of its own; redirects and keys had theirs.
  const judged = parseClientMetadata(
    { ...rest, redirect_uris: ['http://127.0.0.1/callback'], token_endpoint_auth_method: 'none' },
    policy,
  );
  if (!judged.ok)
    report.ignored(
      'The metadata',
      null,
      `It would not be registered: ${describeClientMetadataReason(judged.error)}.`,
    );
  for (const member of Object.keys(rest)) {
    if (!handledMembers.has(member))
      report.ignored(member, null, otherWords[member] ?? 'It has no effect here.');
  }
}

const otherWords: Readonly<Record<string, string>> = {
  scope: 'Tools are chosen by name below, not by scope.',
  grant_types: 'They follow from how the client connects.',
  response_types: 'They follow from how the client connects.',
  token_endpoint_auth_method: 'It follows from how the client connects: a key, or none.',
  client_uri: 'The client’s own page proves nothing about it.',
  logo_uri: 'Logos of clients are not shown.',
  contacts: 'You answer for the agent; the client’s contacts do not.',
};

function readKeys(
  value: JsonValue | undefined,
  reading: PastedReading,
  report: Report,
  policy: ClientMetadataPolicy,
): void {
  const judged = parseClientMetadata(
    {
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: value ?? null,
    },
    policy,
  );
  if (!judged.ok || !judged.value.jwks) {
    const because = judged.ok ? 'it holds no key' : describeClientMetadataReason(judged.error);
    report.dangerous('Key set', null, `It cannot be used: ${because}.`);
    return;
  }
  reading.jwks = JSON.stringify({ keys: judged.value.jwks.keys }, null, 2);
  report.taken(
    'Public key set',
    null,
    `${judged.value.jwks.keys.length === 1 ? 'One key' : `${judged.value.jwks.keys.length} keys`}.`,
  );
}

/** A name, with what is odd about it said. */
function readNameOf(name: string, report: Report): string | null {
  const shown = toOneLine(name, 100).trim();
  const findings = assessText(name);
  if (
    findings.hiddenCharacters > 0 ||
    findings.stackedMarks ||
    findings.mixedScripts ||
    looksLikeAscii(name) ||
    findings.vendor?.kind === 'look-alike'
  ) {
    report.dangerous(
      'Name',
      name,
      'It holds hidden or look-alike characters. Give the agent a name of your own.',
    );
    return null;
  }
  if (shown.length < 2) return null;
  report.taken('Name', shown, 'Whoever wrote the text chose it; change it as you like.');
  return shown;
}

/** A URL as it may be used: without credentials, said where it had some or would be sent in the clear. */
function readUrl(given: string, label: string, report: Report): string | null {
  if (/[$<{]/.test(given)) {
    report.ignored(label, given, 'Its URL has a placeholder. Paste it with the value written out.');
    return null;
  }
  let text = given;
  const userinfo = /^(https?:\/\/)[^/?#]*@/i.exec(text);
  if (userinfo) {
    text = (userinfo[1] as string) + text.slice(userinfo[0].length);
    report.dangerous(
      label,
      text,
      'The URL carried a name or password. It was taken out: URLs end in logs and histories.',
    );
  }
  if (text.includes(maskedSecret)) {
    const query = text.indexOf('?');
    text = query === -1 ? text : text.slice(0, query);
    if (text.includes(maskedSecret)) {
      report.dangerous(label, null, 'A secret was part of the URL.');
      return null;
    }
    report.corrected(label, text, 'A secret in its query was left out with the query.');
  }
  const parsed = parseResource(text);
  if (!parsed.ok) {
    const url = URL.parse(text);
    const mended = url && /^https?:$/.test(url.protocol) ? url.href.replace(/#.*$/s, '') : null;
    if (mended === null || !parseResource(mended).ok || !/^[\x21-\x7e]+$/.test(text)) {
      report.dangerous(label, text, 'It is not a URL a browser would leave as it is.');
      return null;
    }
    report.corrected(label, mended, 'Written as a browser writes it.');
    text = mended;
  }
  const { protocol, hostname } = new URL(text);
  if (protocol === 'http:' && !['127.0.0.1', '[::1]', 'localhost'].includes(hostname)) {
    report.dangerous(label, text, 'It uses http: tokens would cross the network in the clear.');
  }
  return text;
}
