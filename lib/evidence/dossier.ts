import { deviceRedirectUri } from '#lib/oauth/device-grant.ts';
import { isInRanges, loopbackRanges, normalizeAddress, sourcePrefix } from '#lib/platform/address.ts';
import { assessText } from '#lib/platform/text.ts';
import type { EvidenceFact, EvidenceStatus, EvidenceValue } from './fact.ts';

/** What is known when a person is about to claim a client, or files one themselves. */
export type DossierInput = {
  client: {
    id: string;
    kind: 'dynamic' | 'metadata document' | 'manual';
    name: string;
    softwareId: string | null;
    softwareVersion: string | null;
    clientUri: string | null;
    redirectUris: readonly string[];
    /** Digest of a metadata document's bytes; null when it could not be fetched just now, and for other kinds. */
    documentDigest: string | null;
    /** When, from where and by which program it registered; null for what never registered (documents, forms). */
    registration: { at: Date; address: string | null; userAgent: string | null; sourceName: string } | null;
    /** Thumbprints (RFC 7638) of the keys it will authenticate with. */
    keyThumbprints: readonly string[];
  };
  /** The redirect URI of this sign-in, with its port; null when nobody is signing in. */
  redirectUri: string | null;
  /** The browser at the authorization endpoint, where no cookie is read; null when there was none. */
  opened: { at: Date; address: string | null; userAgent: string | null } | null;
  /** The device that shows a code and waits for tokens (RFC 8628 §3.1); null for a sign-in in a browser. */
  device: { at: Date; address: string | null; userAgent: string | null } | null;
  /** The signed-in browser. */
  claimed: { address: string | null; userAgent: string | null };
  /** Somebody else already holds an instance of this very client. */
  otherOwner: boolean;
  /** Decisions against the same fingerprint, redirect or key, by anybody's request. */
  earlierRefusals: readonly { state: string; reason: string; number: number | null }[];
  now: Date;
};

/**
 * Everything we can say about the origin of a client, each fact with how it is known. Pure: what other rows say is
 * passed in. Nothing a client says about itself is ever more than claimed.
 */
export function buildDossier(input: DossierInput): EvidenceFact[] {
  const { client, now } = input;
  const facts: EvidenceFact[] = [];
  const add = (
    kind: EvidenceFact['kind'],
    status: EvidenceStatus,
    value: EvidenceValue,
    method: string,
    establishedAt: Date = now,
    proofDigest: string | null = null,
  ) => facts.push({ kind, status, value, method, establishedAt, proofDigest });

  if (client.kind === 'metadata document') {
    const host = new URL(client.id).host;
    const value = { host, url: client.id, redirectsElsewhere: redirectsElsewhere(client, host) };
    if (client.documentDigest === null) {
      add(
        'metadata document',
        'observed',
        value,
        'Fetched from this host before; it could not be read just now.',
      );
    } else {
      add(
        'metadata document',
        'proved',
        { ...value, digest: client.documentDigest },
        'Fetched from this host, which names its own address in it. That proves who publishes the document, not which program on a computer uses it.',
        now,
        client.documentDigest,
      );
    }
  }
  if (client.registration) {
    const { at, address, userAgent, sourceName } = client.registration;
    add('source', 'observed', { name: sourceName }, 'The intake this registration came through.', at);
    if (address) {
      add(
        'registered from',
        'observed',
        { address, network: networkName(address) },
        'Address of the connection that registered the client.',
        at,
      );
    }
    if (userAgent)
      add('user agent', 'claimed', { value: clip(userAgent) }, 'Sent by the program that registered.', at);
  }
  if (client.kind === 'manual') {
    add('source', 'observed', { name: 'Owner’s form' }, 'Filed by its owner in the console.');
  }
  if (input.opened?.address) {
    add(
      'opened from',
      'observed',
      { address: input.opened.address, network: networkName(input.opened.address) },
      'Address of the browser that opened the sign-in.',
      input.opened.at,
    );
  }
  if (input.device?.address) {
    add(
      'device',
      'observed',
      { address: input.device.address, network: networkName(input.device.address) },
      'Address of the device that showed the code. The tokens go to it, wherever it is.',
      input.device.at,
    );
  }
  if (input.claimed.address) {
    add(
      'claimed from',
      'observed',
      { address: input.claimed.address, network: networkName(input.claimed.address) },
      'Address of the signed-in browser.',
    );
  }
  addNetworkAgreement(input, add);

  for (const uri of client.redirectUris) {
    const where = describeRedirect(uri);
    add('redirect', 'claimed', { uri, ...where }, redirectMeaning[where.place]);
  }

  if (client.name) {
    add('client name', 'claimed', { name: clip(client.name) }, 'Self-chosen: anyone can register any name.');
    addNameFindings(client.name, add);
  }
  if (client.softwareId) {
    add(
      'software',
      'claimed',
      { softwareId: clip(client.softwareId), softwareVersion: clip(client.softwareVersion ?? '') },
      'Self-asserted software_id; nothing ties it to a publisher.',
    );
  }
  if (client.clientUri) {
    add('client page', 'claimed', { url: clip(client.clientUri) }, 'Self-asserted client_uri; not fetched.');
  }
  for (const thumbprint of client.keyThumbprints) {
    add(
      'key',
      'claimed',
      { thumbprint },
      'Public key given on the form. Every token request must be signed with its private half.',
    );
  }
  if (input.otherOwner) {
    add(
      'other owner',
      client.kind === 'metadata document' ? 'observed' : 'contradicted',
      { held: true },
      client.kind === 'metadata document'
        ? 'Other people use this metadata document too; each has an agent of their own.'
        : 'Another person has already claimed this very registration. A client on one computer has one owner.',
    );
  }
  for (const refusal of input.earlierRefusals) {
    add(
      'earlier refusal',
      'contradicted',
      {
        state: refusal.state,
        reason: clip(refusal.reason),
        request: refusal.number ? `CS-${refusal.number}` : '',
      },
      'The same name and redirects, or the same key, were decided against before.',
    );
  }
  return facts;
}

type Add = (
  kind: EvidenceFact['kind'],
  status: EvidenceStatus,
  value: EvidenceValue,
  method: string,
  establishedAt?: Date,
  proofDigest?: string | null,
) => void;

/**
 * Registration, sign-in and claim of a program on somebody's own computer come from one address. A hosted client
 * registers from its vendor's servers, so there only the two browser addresses have to agree.
 */
function addNetworkAgreement(input: DossierInput, add: Add): void {
  const local =
    input.device !== null ||
    input.client.redirectUris.some((uri) => describeRedirect(uri).place !== 'website');
  const places = [
    ['registered', local ? (input.client.registration?.address ?? null) : null],
    ['device', input.device?.address ?? null],
    ['opened', input.opened?.address ?? null],
    ['claimed', input.claimed.address],
  ] as const;
  const known = places.filter((place): place is readonly [(typeof place)[0], string] => place[1] !== null);
  if (known.length < 2) return;
  const [first] = known;
  const differing = known.filter(([, address]) => first && !sameAddress(first[1], address));
  const value = { between: known.map(([name]) => name), addresses: known.map(([, address]) => address) };
  if (differing.length === 0) {
    add('network agreement', 'observed', value, 'The same address each time.');
    return;
  }
  const sameNetwork = differing.every(
    ([, address]) => first && sourcePrefix(first[1]) === sourcePrefix(address),
  );
  add(
    'network agreement',
    sameNetwork ? 'observed' : 'contradicted',
    value,
    sameNetwork
      ? 'Different addresses of one network.'
      : input.device
        ? 'The device that gets the tokens and the signed-in browser are not in one place. Somebody may have been given another person’s code.'
        : 'The client, the browser that opened the sign-in and the signed-in browser are not in one place. Somebody may have been sent another person’s link.',
  );
}

/** Whether two addresses are one place; every loopback address is this computer. */
export function sameAddress(left: string, right: string): boolean {
  if (isInRanges(left, loopbackRanges) && isInRanges(right, loopbackRanges)) return true;
  return normalizeAddress(left) === normalizeAddress(right);
}

function networkName(address: string): string {
  return isInRanges(address, loopbackRanges) ? 'this computer' : sourcePrefix(address);
}

function addNameFindings(name: string, add: Add): void {
  const findings = assessText(name);
  if (findings.vendor) {
    const { vendor, kind } = findings.vendor;
    add(
      'name resemblance',
      kind === 'names' ? 'claimed' : 'contradicted',
      { vendor, resemblance: kind },
      kind === 'names'
        ? `Says it is ${vendor}. A name proves nothing.`
        : `Written to look like ${vendor}, in other characters or one letter off.`,
    );
  }
  const odd = [
    findings.hiddenCharacters > 0 &&
      (findings.hiddenCharacters === 1
        ? 'a hidden character'
        : `${findings.hiddenCharacters} hidden characters`),
    findings.bidirectionalControls && 'characters that reverse the reading direction',
    findings.stackedMarks && 'stacked marks',
    findings.mixedScripts && 'mixed alphabets',
    findings.instructionLike.length > 0 && 'words that read like instructions to a model',
  ].filter((finding): finding is string => typeof finding === 'string');
  if (odd.length > 0)
    add('name text', 'contradicted', { findings: odd }, 'The name holds what no plain name needs.');
}

export type RedirectPlace = 'website' | 'this computer' | 'app' | 'device';

/** Where a redirect URI leads, in a reviewer's terms. */
export function describeRedirect(uri: string): { place: RedirectPlace; host: string } {
  if (uri === deviceRedirectUri) return { place: 'device', host: '' };
  const url = URL.parse(uri);
  if (url?.protocol === 'https:') return { place: 'website', host: url.host };
  if (url?.protocol === 'http:') return { place: 'this computer', host: url.hostname };
  return { place: 'app', host: url?.protocol.slice(0, -1) ?? '' };
}

const redirectMeaning: Record<RedirectPlace, string> = {
  website: 'Self-asserted; the code goes to whoever runs this host.',
  'this computer':
    'Loopback: any program on the owner’s computer can listen there, whichever name it gives itself.',
  app: 'App scheme: any program on the owner’s computer can register it.',
  device: 'No address: the device that shows the code asks for the tokens itself.',
};

function redirectsElsewhere(client: DossierInput['client'], host: string): string[] {
  return client.redirectUris
    .map(describeRedirect)
    .filter(({ place, host: redirectHost }) => place === 'website' && redirectHost !== host)
    .map(({ host: redirectHost }) => redirectHost);
}

function clip(text: string): string {
  return text.length <= 500 ? text : `${text.slice(0, 499)}…`;
}
