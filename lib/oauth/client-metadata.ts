import { parseDocumentUrl } from '#lib/oauth/document-url.ts';
import {
  ASSERTION_ALGORITHMS,
  type AssertionAlgorithm,
  type ClientJwks,
  describeJwksProblem,
  type JwksProblem,
  parseClientJwks,
} from '#lib/oauth/jwks.ts';
import type { OAuthErrorCode } from '#lib/oauth/oauth-error.ts';
import {
  describeRedirectUriProblem,
  parseRedirectUri,
  type RedirectUri,
  type RedirectUriPolicy,
  type RedirectUriProblem,
  toPortlessRedirectUri,
} from '#lib/oauth/redirect-uri.ts';
import { digestOf, type JsonValue } from '#lib/platform/canonical-json.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { isJsonObject, type ParsedObject } from '#lib/platform/strict-json.ts';

/** How a client proves itself at the token endpoint, of those implemented here. */
export const TOKEN_ENDPOINT_AUTH_METHODS = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
] as const;
export type TokenEndpointAuthMethod = (typeof TOKEN_ENDPOINT_AUTH_METHODS)[number];

/** Grants a client can be registered for (RFC 6749, RFC 8628, RFC 7523, RFC 8693); a deployment enables some. */
export const GRANT_TYPES = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'urn:ietf:params:oauth:grant-type:token-exchange',
] as const;
export type GrantType = (typeof GRANT_TYPES)[number];

/** What a client says about itself (RFC 7591 §2), checked in form. None of it is proved by being said. */
export type ClientMetadata = {
  redirectUris: RedirectUri[];
  tokenEndpointAuthMethod: TokenEndpointAuthMethod;
  tokenEndpointAuthSigningAlg: AssertionAlgorithm | null;
  grantTypes: GrantType[];
  responseTypes: 'code'[];
  /** As sent: any length the body allowed, any characters but U+0000. Show it through `#lib/platform/text.ts`. */
  clientName: string | null;
  clientUri: string | null;
  logoUri: string | null;
  tosUri: string | null;
  policyUri: string | null;
  scope: string | null;
  contacts: string[];
  softwareId: string | null;
  softwareVersion: string | null;
  softwareStatement: string | null;
  jwks: ClientJwks | null;
  jwksUri: string | null;
  applicationType: 'native' | 'web' | null;
  /** Members this server does not know or does not register, for a reviewer to see; they have no effect. */
  unrecognized: UnrecognizedMember[];
};

export type UnrecognizedMember = {
  name: string;
  /** The value as JSON text, cut at a few hundred characters. */
  text: string;
  truncated: boolean;
};

export type ClientMetadataReason =
  | { reason: 'not-an-object' }
  | { reason: 'member-invalid'; member: string; index?: number; because: string }
  | { reason: 'redirect-uris-missing' }
  | { reason: 'redirect-uris-too-many'; maxCount: number }
  | { reason: 'redirect-uri-invalid'; index: number; problem: RedirectUriProblem }
  | { reason: 'grant-types-unsupported' }
  | { reason: 'response-types-inconsistent' }
  | { reason: 'auth-method-unsupported' }
  | { reason: 'auth-method-needs-keys' }
  | { reason: 'public-client-credentials' }
  | { reason: 'keys-given-twice' }
  | { reason: 'jwks-invalid'; problem: JwksProblem }
  | { reason: 'software-statement-malformed' }
  | { reason: 'software-statement-unapproved' };

export type ClientMetadataPolicy = RedirectUriPolicy & {
  /** Grants the token endpoint really offers; a client is registered for the intersection. */
  grantTypes: readonly GrantType[];
  authMethods?: readonly TokenEndpointAuthMethod[];
  /** Development only: http and loopback hosts in jwks_uri. */
  allowLoopbackDocuments?: boolean;
  /** Whether someone further on judges software statements. Where nobody does, one is unapproved. */
  acceptSoftwareStatement?: boolean;
};

const MAX_REDIRECT_URIS = 32;
const MAX_LIST_LENGTH = 32;
/** Longer than any sane value, shorter than the body may be: a 10 KB name is a matter for the reviewer. */
const MAX_TEXT_LENGTH = 12_000;
const MAX_URI_LENGTH = 2_000;
const MAX_UNRECOGNIZED_MEMBERS = 32;
const MAX_UNRECOGNIZED_TEXT = 400;
const MAX_MEMBER_NAME = 100;

const KNOWN_MEMBERS: ReadonlySet<string> = new Set([
  'redirect_uris',
  'token_endpoint_auth_method',
  'token_endpoint_auth_signing_alg',
  'grant_types',
  'response_types',
  'client_name',
  'client_uri',
  'logo_uri',
  'tos_uri',
  'policy_uri',
  'scope',
  'contacts',
  'software_id',
  'software_version',
  'software_statement',
  'jwks',
  'jwks_uri',
  'application_type',
]);

/**
 * Parses client metadata (RFC 7591 §2), one check per member, into what this server would register.
 *
 * Tolerant where real clients differ and strict where it matters: unknown members are kept aside, null and empty
 * values count as absent, grants and response types are reduced to those offered; but a redirect URI, key set or web
 * address that is wrong refuses the whole registration, naming its index. Where the authentication method is left
 * out, a client with a native redirect becomes public (it cannot keep a secret), any other gets a secret.
 *
 * Not checked: who is asking, how many have asked, whether any of it is true.
 */
export function parseClientMetadata(
  value: JsonValue | undefined,
  policy: ClientMetadataPolicy,
): Result<ClientMetadata, ClientMetadataReason> {
  if (!isJsonObject(value)) return err({ reason: 'not-an-object' });
  const members = new Members(value);

  const grantTypes = readGrantTypes(members, policy);
  if (!grantTypes.ok) return grantTypes;
  const redirectUris = readRedirectUris(members, grantTypes.value, policy);
  if (!redirectUris.ok) return redirectUris;
  const responseTypes = readResponseTypes(members, grantTypes.value);
  if (!responseTypes.ok) return responseTypes;
  const keys = readKeys(members, policy);
  if (!keys.ok) return keys;
  const authentication = readAuthentication(members, redirectUris.value, keys.value, policy);
  if (!authentication.ok) return authentication;
  const usableGrants = grantsFor(authentication.value.tokenEndpointAuthMethod, grantTypes.value);
  if (usableGrants.length === 0) return err({ reason: 'public-client-credentials' });
  const statement = readSoftwareStatement(members, policy);
  if (!statement.ok) return statement;

  const metadata: ClientMetadata = {
    redirectUris: redirectUris.value,
    ...authentication.value,
    grantTypes: usableGrants,
    responseTypes: responseTypes.value,
    clientName: members.text('client_name'),
    clientUri: members.webAddress('client_uri'),
    logoUri: members.webAddress('logo_uri'),
    tosUri: members.webAddress('tos_uri'),
    policyUri: members.webAddress('policy_uri'),
    scope: members.text('scope'),
    contacts: members.textList('contacts') ?? [],
    softwareId: members.text('software_id'),
    softwareVersion: members.text('software_version'),
    softwareStatement: statement.value,
    ...keys.value,
    applicationType: toApplicationType(members.text('application_type')),
    unrecognized: toUnrecognized(value),
  };
  return members.problem === null ? ok(metadata) : err(members.problem);
}

/** The RFC 7591 §3.2.2 error code of a refusal. */
export function toRegistrationErrorCode(reason: ClientMetadataReason): OAuthErrorCode {
  switch (reason.reason) {
    case 'redirect-uris-missing':
    case 'redirect-uris-too-many':
    case 'redirect-uri-invalid':
      return 'invalid_redirect_uri';
    case 'software-statement-malformed':
      return 'invalid_software_statement';
    case 'software-statement-unapproved':
      return 'unapproved_software_statement';
    default:
      return 'invalid_client_metadata';
  }
}

/** A sentence for the developer of the client. Repeats member names and indices, never values. */
export function describeClientMetadataReason(reason: ClientMetadataReason): string {
  switch (reason.reason) {
    case 'not-an-object':
      return 'client metadata must be a JSON object';
    case 'member-invalid':
      return `${reason.member}${reason.index === undefined ? '' : `[${reason.index}]`} ${reason.because}`;
    case 'redirect-uris-missing':
      return 'redirect_uris must be a non-empty array for the authorization_code grant';
    case 'redirect-uris-too-many':
      return `redirect_uris holds more than ${reason.maxCount} entries`;
    case 'redirect-uri-invalid':
      return `redirect_uris[${reason.index}] ${describeRedirectUriProblem(reason.problem)}`;
    case 'grant-types-unsupported':
      return 'grant_types names no grant this server offers';
    case 'response-types-inconsistent':
      return 'response_types must contain code for the authorization_code grant';
    case 'auth-method-unsupported':
      return 'token_endpoint_auth_method is not supported';
    case 'auth-method-needs-keys':
      return 'private_key_jwt needs jwks or jwks_uri';
    case 'public-client-credentials':
      return 'client_credentials needs a token_endpoint_auth_method other than none';
    case 'keys-given-twice':
      return 'jwks and jwks_uri cannot both be present';
    case 'jwks-invalid':
      return describeJwksProblem(reason.problem);
    case 'software-statement-malformed':
      return 'software_statement is not a signed JWT';
    case 'software-statement-unapproved':
      return 'software_statement is not from an issuer this server accepts';
  }
}

/** Metadata in wire form as registered (RFC 7591 §3.2.1): what is stored, echoed and digested. */
export type RegisteredMetadata = {
  redirect_uris: string[];
  token_endpoint_auth_method: TokenEndpointAuthMethod;
  token_endpoint_auth_signing_alg?: AssertionAlgorithm;
  grant_types: GrantType[];
  response_types: 'code'[];
  client_name?: string;
  client_uri?: string;
  logo_uri?: string;
  tos_uri?: string;
  policy_uri?: string;
  scope?: string;
  contacts?: string[];
  software_id?: string;
  software_version?: string;
  software_statement?: string;
  jwks?: ClientJwks;
  jwks_uri?: string;
  application_type?: 'native' | 'web';
};

/**
 * Crosses to wire names: everything registered and nothing else, so that a member we ignored is visibly not there.
 * `redirect_uris` is always present; official SDKs refuse an answer without it.
 */
export function toRegisteredMetadata(metadata: ClientMetadata): RegisteredMetadata {
  return {
    redirect_uris: metadata.redirectUris.map((redirect) => redirect.uri),
    token_endpoint_auth_method: metadata.tokenEndpointAuthMethod,
    ...present('token_endpoint_auth_signing_alg', metadata.tokenEndpointAuthSigningAlg),
    grant_types: metadata.grantTypes,
    response_types: metadata.responseTypes,
    ...present('client_name', metadata.clientName),
    ...present('client_uri', metadata.clientUri),
    ...present('logo_uri', metadata.logoUri),
    ...present('tos_uri', metadata.tosUri),
    ...present('policy_uri', metadata.policyUri),
    ...present('scope', metadata.scope),
    ...(metadata.contacts.length === 0 ? {} : { contacts: metadata.contacts }),
    ...present('software_id', metadata.softwareId),
    ...present('software_version', metadata.softwareVersion),
    ...present('software_statement', metadata.softwareStatement),
    ...present('jwks', metadata.jwks),
    ...present('jwks_uri', metadata.jwksUri),
    ...present('application_type', metadata.applicationType),
  };
}

/**
 * A likeness of the software from what it says of itself: name, software_id, web page, redirects without loopback
 * ports. Self-asserted and easily copied: good for grouping on a screen and for making a refusal stick, never for
 * granting anything.
 */
export function toSoftwareFingerprint(metadata: ClientMetadata): string {
  return toRegisteredFingerprint(toRegisteredMetadata(metadata));
}

/** The same of metadata as they are stored. */
export function toRegisteredFingerprint(metadata: RegisteredMetadata): string {
  return digestOf({
    clientName: metadata.client_name ?? null,
    softwareId: metadata.software_id ?? null,
    clientUri: metadata.client_uri ?? null,
    redirects: [...new Set(metadata.redirect_uris.map(toPortlessRedirectUri))].sort(),
  });
}

/** Reads members as their type, remembering the first that is not; null and empty count as absent. */
class Members {
  readonly object: ParsedObject;
  problem: ClientMetadataReason | null = null;

  constructor(object: ParsedObject) {
    this.object = object;
  }

  raw(member: string): JsonValue | undefined {
    const value = Object.hasOwn(this.object, member) ? this.object[member] : undefined;
    return value === null || value === '' ? undefined : value;
  }

  refuse(member: string, because: string, index?: number): null {
    this.problem ??= {
      reason: 'member-invalid',
      member,
      because,
      ...(index === undefined ? {} : { index }),
    };
    return null;
  }

  text(member: string): string | null {
    const value = this.raw(member);
    if (value === undefined) return null;
    if (typeof value !== 'string') return this.refuse(member, 'must be a string');
    if (value.length > MAX_TEXT_LENGTH)
      return this.refuse(member, `is longer than ${MAX_TEXT_LENGTH} characters`);
    return value;
  }

  textList(member: string): string[] | null {
    const value = this.raw(member);
    if (value === undefined) return null;
    if (!Array.isArray(value)) return this.refuse(member, 'must be an array of strings');
    if (value.length > MAX_LIST_LENGTH)
      return this.refuse(member, `holds more than ${MAX_LIST_LENGTH} entries`);
    const list: string[] = [];
    for (const [index, entry] of value.entries()) {
      if (typeof entry !== 'string' || entry.length > MAX_URI_LENGTH) {
        return this.refuse(member, 'must be a string of reasonable length', index);
      }
      list.push(entry);
    }
    return list;
  }

  /** A page a reviewer may be shown a link to: http or https, so that no link runs a script. */
  webAddress(member: string): string | null {
    const text = this.text(member);
    if (text === null) return null;
    const url = text.length <= MAX_URI_LENGTH && /^[\x21-\x7e]+$/.test(text) ? URL.parse(text) : null;
    if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.host === '') {
      return this.refuse(member, 'must be an http or https URL');
    }
    if (url.username !== '' || url.password !== '')
      return this.refuse(member, 'must not contain user information');
    return text;
  }
}

function readGrantTypes(
  members: Members,
  policy: ClientMetadataPolicy,
): Result<GrantType[], ClientMetadataReason> {
  const requested = members.textList('grant_types');
  if (members.problem !== null) return err(members.problem);
  // RFC 7591 §2 defaults to the code grant; refresh comes with it, or the person would sign in every few minutes.
  const wanted =
    requested === null || requested.length === 0 ? ['authorization_code', 'refresh_token'] : requested;
  const offered = policy.grantTypes.filter((grant) => wanted.includes(grant));
  // Nothing can be refreshed that no other grant has begun.
  const begins = offered.filter((grant) => grant !== 'refresh_token');
  if (begins.length === 0) return err({ reason: 'grant-types-unsupported' });
  return ok(begins.some(startsRefreshFamily) ? offered : begins);
}

function startsRefreshFamily(grant: GrantType): boolean {
  return grant === 'authorization_code' || grant === 'urn:ietf:params:oauth:grant-type:device_code';
}

function readRedirectUris(
  members: Members,
  grantTypes: readonly GrantType[],
  policy: ClientMetadataPolicy,
): Result<RedirectUri[], ClientMetadataReason> {
  const value = members.raw('redirect_uris');
  const needed = grantTypes.includes('authorization_code');
  if (value === undefined) return needed ? err({ reason: 'redirect-uris-missing' }) : ok([]);
  if (!Array.isArray(value)) return err({ reason: 'redirect-uris-missing' });
  if (value.length === 0 && needed) return err({ reason: 'redirect-uris-missing' });
  if (value.length > MAX_REDIRECT_URIS) {
    return err({ reason: 'redirect-uris-too-many', maxCount: MAX_REDIRECT_URIS });
  }
  const redirects = new Map<string, RedirectUri>();
  for (const [index, entry] of value.entries()) {
    const redirect = parseRedirectUri(entry, policy);
    if (!redirect.ok) return err({ reason: 'redirect-uri-invalid', index, problem: redirect.error });
    redirects.set(redirect.value.uri, redirect.value);
  }
  return ok([...redirects.values()]);
}

function readResponseTypes(
  members: Members,
  grantTypes: readonly GrantType[],
): Result<'code'[], ClientMetadataReason> {
  const requested = members.textList('response_types');
  if (members.problem !== null) return err(members.problem);
  if (!grantTypes.includes('authorization_code')) return ok([]);
  if (requested === null || requested.length === 0 || requested.includes('code')) return ok(['code']);
  return err({ reason: 'response-types-inconsistent' });
}

type Keys = { jwks: ClientJwks | null; jwksUri: string | null };

function readKeys(members: Members, policy: ClientMetadataPolicy): Result<Keys, ClientMetadataReason> {
  const jwks = members.raw('jwks');
  const jwksUri = members.text('jwks_uri');
  if (members.problem !== null) return err(members.problem);
  if (jwks !== undefined && jwksUri !== null) return err({ reason: 'keys-given-twice' });
  if (jwks !== undefined) {
    const parsed = parseClientJwks(jwks);
    return parsed.ok
      ? ok({ jwks: parsed.value, jwksUri: null })
      : err({ reason: 'jwks-invalid', problem: parsed.error });
  }
  if (jwksUri !== null && !parseDocumentUrl(jwksUri, { allowLoopback: policy.allowLoopbackDocuments }).ok) {
    return err({
      reason: 'member-invalid',
      member: 'jwks_uri',
      because: 'must be an https URL in normal form',
    });
  }
  return ok({ jwks: null, jwksUri });
}

function readAuthentication(
  members: Members,
  redirectUris: readonly RedirectUri[],
  keys: Keys,
  policy: ClientMetadataPolicy,
): Result<
  Pick<ClientMetadata, 'tokenEndpointAuthMethod' | 'tokenEndpointAuthSigningAlg'>,
  ClientMetadataReason
> {
  const requested = members.text('token_endpoint_auth_method');
  const signingAlg = members.text('token_endpoint_auth_signing_alg');
  if (members.problem !== null) return err(members.problem);
  const isNative = redirectUris.some((redirect) => redirect.kind !== 'https');
  const wanted = requested ?? (isNative ? 'none' : 'client_secret_basic');
  const method = (policy.authMethods ?? TOKEN_ENDPOINT_AUTH_METHODS).find((offered) => offered === wanted);
  if (method === undefined) return err({ reason: 'auth-method-unsupported' });
  if (method !== 'private_key_jwt') {
    return ok({ tokenEndpointAuthMethod: method, tokenEndpointAuthSigningAlg: null });
  }
  if (keys.jwks === null && keys.jwksUri === null) return err({ reason: 'auth-method-needs-keys' });
  const algorithm = ASSERTION_ALGORITHMS.find((offered) => offered === signingAlg) ?? null;
  if (signingAlg !== null && algorithm === null) {
    return err({
      reason: 'member-invalid',
      member: 'token_endpoint_auth_signing_alg',
      because: 'is not an asymmetric signature algorithm this server accepts',
    });
  }
  return ok({ tokenEndpointAuthMethod: method, tokenEndpointAuthSigningAlg: algorithm });
}

/** RFC 6749 §4.4: client credentials are for clients that can prove themselves; the others keep their other grants. */
function grantsFor(method: TokenEndpointAuthMethod, grantTypes: readonly GrantType[]): GrantType[] {
  return grantTypes.filter((grant) => method !== 'none' || grant !== 'client_credentials');
}

function readSoftwareStatement(
  members: Members,
  policy: ClientMetadataPolicy,
): Result<string | null, ClientMetadataReason> {
  const value = members.raw('software_statement');
  if (value === undefined) return ok(null);
  // RFC 7591 §2.3: it must be signed or MACed, so three non-empty parts; whose signature counts is judged elsewhere.
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(value)) {
    return err({ reason: 'software-statement-malformed' });
  }
  if (policy.acceptSoftwareStatement !== true) return err({ reason: 'software-statement-unapproved' });
  return ok(value);
}

function toApplicationType(text: string | null): 'native' | 'web' | null {
  return text === 'native' || text === 'web' ? text : null;
}

function toUnrecognized(object: ParsedObject): UnrecognizedMember[] {
  return Object.keys(object)
    .filter((name) => !KNOWN_MEMBERS.has(name))
    .slice(0, MAX_UNRECOGNIZED_MEMBERS)
    .map((name) => {
      const text = JSON.stringify(object[name]) ?? 'null';
      const truncated = text.length > MAX_UNRECOGNIZED_TEXT || name.length > MAX_MEMBER_NAME;
      return {
        name: name.slice(0, MAX_MEMBER_NAME).toWellFormed(),
        text: text.slice(0, MAX_UNRECOGNIZED_TEXT).toWellFormed(),
        truncated,
      };
    });
}

function present<Name extends string, Value>(name: Name, value: Value | null): { [member in Name]?: Value } {
  return (value === null ? {} : { [name]: value }) as { [member in Name]?: Value };
}
