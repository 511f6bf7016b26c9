import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';

export type { Logger } from 'pino';

const hidden = '[hidden]';
const deepestLevel = 6;
const longestText = 4_000;

/**
 * Names whose values never reach a log, compared without case, dashes and underscores. Wire names of OAuth, our own
 * fields and HTTP headers alike.
 */
const secretNames = new Set([
  'accesstoken',
  'actortoken',
  'apitoken',
  'assertion',
  'authorization',
  'clientassertion',
  'clientsecret',
  'code',
  'codeverifier',
  'connectionstring',
  'cookie',
  'csrftoken',
  'databaseurl',
  'idtoken',
  'initialaccesstoken',
  'jointoken',
  'key',
  'keyencryptionkey',
  'passphrase',
  'password',
  'privatekey',
  'privatesealed',
  'proxyauthorization',
  'refreshtoken',
  'registrationaccesstoken',
  'secret',
  'sessionsecret',
  'sessiontoken',
  'setcookie',
  'softwarestatement',
  'startsecret',
  'subjecttoken',
  'token',
  'upstreamcredential',
  'usercode',
]);

/** Secrets recognisable by their own shape, wherever they stand in a text. */
const secretShapes: readonly [RegExp, string][] = [
  // Compact JWS and JWE: access tokens, assertions, software statements.
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*(?:\.[\w-]+)*/g, hidden],
  [/\b(Bearer|Basic|DPoP)\s+[\w.~+/=-]{8,}/gi, `$1 ${hidden}`],
  // Credentials inside URLs.
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@/]+@/gi, `$1:${hidden}@`],
  [
    /([?&#](?:code|token|access_token|refresh_token|client_secret|client_assertion|code_verifier|state|password)=)[^&\s"']+/gi,
    `$1${hidden}`,
  ],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, hidden],
];

/**
 * Whether a member of this name is hidden. Digests of secrets and ids are kept: they are what an operator compares.
 * `code` alone is hidden because authorization codes carry that name; error codes are logged as part of `err`.
 */
function isSecretName(name: string): boolean {
  return secretNames.has(name.toLowerCase().replace(/[-_]/g, ''));
}

/** A text without the secrets that are recognisable by their shape, and not too long. */
export function redactText(text: string): string {
  const short = text.length > longestText ? `${text.slice(0, longestText)}…` : text;
  return secretShapes.reduce((result, [shape, replacement]) => result.replace(shape, replacement), short);
}

/** A copy without secrets, safe to write: members by name, texts by shape, depth and length bounded. */
export function redact(value: unknown, level = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return redactError(value, level);
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (level >= deepestLevel) return '[deeper]';
  if (Array.isArray(value)) return value.slice(0, 100).map((entry) => redact(entry, level + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [
      name,
      isSecretName(name) ? hidden : redact(entry, level + 1),
    ]),
  );
}

function redactError(error: Error, level: number): object {
  const { code } = error as Error & { code?: unknown };
  return {
    type: error.name,
    message: redactText(error.message),
    ...(typeof code === 'string' ? { reason: code } : {}),
    stack: redactText(error.stack ?? ''),
    ...(error.cause !== undefined && level < deepestLevel ? { cause: redact(error.cause, level + 1) } : {}),
  };
}

/**
 * The process's log: one JSON object a line on standard output. Everything passes `redact`, so that a careless call
 * cannot write a token, a password or a key.
 */
export function createLogger(
  options: { level: LoggerOptions['level']; name?: string },
  destination?: DestinationStream,
): Logger {
  const settings: LoggerOptions = {
    level: options.level ?? 'info',
    base: options.name ? { process: options.name } : null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    // Objects and errors are redacted whole; pino's own error serializer would run first and lose causes.
    serializers: { err: (value: unknown) => value },
    hooks: {
      logMethod(parameters, method) {
        const [first, ...rest] = parameters as [unknown, ...unknown[]];
        const safe = first instanceof Error ? { err: redact(first) } : redact(first);
        const message =
          rest.length === 0 && first instanceof Error
            ? [redactText(first.message)]
            : rest.map((part) => redact(part));
        method.apply(this, [safe, ...message] as unknown as Parameters<typeof method>);
      },
    },
    formatters: {
      level: (label) => ({ level: label }),
    },
  };
  return destination ? pino(settings, destination) : pino(settings);
}
