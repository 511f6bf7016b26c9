import type { Config } from './env.ts';
import type { IdentityProvider } from './identity-provider.ts';
import { shortestSecretLength } from './settings.ts';

/** What the console process is given by its parent; it sees nothing else of the configuration. */
export type ConsoleEnvironment = {
  gate: string;
  startSecret: string;
  databaseUrl: string;
  issuer: string;
  consoleOrigin: string;
  environment: Config['environment'];
  demo: boolean;
  deviceGrant: boolean;
  identityProvider: IdentityProvider | null;
};

/** Environment of the console process: names it reads, values as strings. The inverse of `readConsoleEnvironment`. */
export function toConsoleEnvironment(given: ConsoleEnvironment): Record<string, string> {
  return {
    COUNTERSIGN_GATE_SOCKET: given.gate,
    COUNTERSIGN_START_SECRET: given.startSecret,
    COUNTERSIGN_CONSOLE_DATABASE_URL: given.databaseUrl,
    COUNTERSIGN_ISSUER: given.issuer,
    COUNTERSIGN_CONSOLE_ORIGIN: given.consoleOrigin,
    COUNTERSIGN_ENVIRONMENT: given.environment,
    COUNTERSIGN_DEMO: given.demo ? '1' : '0',
    COUNTERSIGN_DEVICE_GRANT: given.deviceGrant ? '1' : '0',
    COUNTERSIGN_OIDC_PROVIDER: given.identityProvider ? JSON.stringify(given.identityProvider) : '',
  };
}

/**
 * The console's view of the configuration. During `next build` nothing is set and every text is empty: pages must
 * not read it before a request.
 */
export function readConsoleEnvironment(): ConsoleEnvironment {
  const environment = process.env.COUNTERSIGN_ENVIRONMENT;
  return {
    gate: process.env.COUNTERSIGN_GATE_SOCKET ?? '',
    startSecret: process.env.COUNTERSIGN_START_SECRET ?? '',
    databaseUrl: process.env.COUNTERSIGN_CONSOLE_DATABASE_URL ?? '',
    issuer: process.env.COUNTERSIGN_ISSUER ?? '',
    consoleOrigin: process.env.COUNTERSIGN_CONSOLE_ORIGIN ?? '',
    environment: environment === 'staging' || environment === 'sandbox' ? environment : 'production',
    demo: process.env.COUNTERSIGN_DEMO === '1',
    deviceGrant: process.env.COUNTERSIGN_DEVICE_GRANT === '1',
    identityProvider: process.env.COUNTERSIGN_OIDC_PROVIDER
      ? (JSON.parse(process.env.COUNTERSIGN_OIDC_PROVIDER) as IdentityProvider)
      : null,
  };
}

/** Our secret at the identity provider, for the exchange of a code; null for a public client. */
export function readIdentityProviderSecret(): string | null {
  return process.env.COUNTERSIGN_OIDC_CLIENT_SECRET || null;
}

/** Protects the sign-in exchange of the console. Throws when the start did not give one that can. */
export function readSignInSecret(): string {
  const given = process.env.NEXTAUTH_SECRET;
  if (!given || given.length < shortestSecretLength)
    throw new Error('NEXTAUTH_SECRET is missing or too short');
  return given;
}

/** Gives this very process the environment of a console (--role console, where no parent does). */
export function becomeConsole(environment: Readonly<Record<string, string>>): void {
  Object.assign(process.env, environment);
}
