import { readFileSync } from 'node:fs';
import type { GuardOptions } from './guard.ts';
import { flag, listOf, mapOf, object, optional, text, whole } from './shape.ts';

const parseStdio = object({
  command: text(),
  args: optional(listOf(text())),
  env: optional(mapOf(text(65_536))),
  cwd: optional(text()),
});
const parseFile = object({
  stateDir: optional(text()),
  joinToken: optional(text()),
  name: optional(text(128)),
  upstreams: optional(mapOf(object({ stdio: optional(parseStdio), url: optional(text(2048)) }))),
  listen: optional(object({ host: text(256), port: whole() })),
  allowedOrigins: optional(listOf(text(512))),
  spoolMaxBytes: optional(whole(1024)),
  quiet: optional(flag),
});

/** The configuration cannot be used; the message says which part of it. */
export class ConfigError extends Error {}

/**
 * Options from a JSON file (`COUNTERSIGN_GUARD_CONFIG` or the first argument) and
 * the environment, which wins: `COUNTERSIGN_GUARD_STATE`, `COUNTERSIGN_JOIN_TOKEN`,
 * `COUNTERSIGN_GUARD_NAME`. Throws `ConfigError`.
 */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
  args: readonly string[],
): GuardOptions & { quiet: boolean } {
  const file = args[0] ?? environment.COUNTERSIGN_GUARD_CONFIG;
  let given: ReturnType<typeof parseFile>;
  try {
    given = parseFile(file === undefined ? {} : JSON.parse(readFileSync(file, 'utf8')), 'configuration');
  } catch (cause) {
    throw new ConfigError(`${file}: ${cause instanceof Error ? cause.message : cause}`);
  }
  const stateDir = environment.COUNTERSIGN_GUARD_STATE ?? given.stateDir;
  if (!stateDir)
    throw new ConfigError('stateDir (or COUNTERSIGN_GUARD_STATE) is missing: where the guard keeps its keys');
  const upstreams: NonNullable<GuardOptions['upstreams']> = Object.fromEntries(
    Object.entries(given.upstreams ?? {}).map(([server, { stdio, url }]) => {
      if ((stdio === undefined) === (url === undefined))
        throw new ConfigError(`upstreams.${server}: give either stdio or url`);
      return [server, stdio ? { stdio } : { url: absoluteUrl(url ?? '', `upstreams.${server}.url`) }];
    }),
  );
  const name = environment.COUNTERSIGN_GUARD_NAME ?? given.name;
  return {
    stateDir,
    joinToken: environment.COUNTERSIGN_JOIN_TOKEN ?? given.joinToken,
    upstreams,
    quiet: given.quiet ?? false,
    ...(name ? { name } : {}),
    ...(given.listen ? { listen: given.listen } : {}),
    ...(given.allowedOrigins ? { allowedOrigins: given.allowedOrigins } : {}),
    ...(given.spoolMaxBytes ? { spoolMaxBytes: given.spoolMaxBytes } : {}),
  };
}

function absoluteUrl(value: string, place: string): string {
  if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol))
    throw new ConfigError(`${place}: not an http or https URL`);
  return value;
}
