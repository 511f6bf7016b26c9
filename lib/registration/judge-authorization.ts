import {
  type AuthorizationPageError,
  type AuthorizationParameters,
  type AuthorizationRequest,
  checkAuthorizationRequest,
  resolveRedirectUri,
} from '#lib/oauth/authorization-request.ts';
import type { OAuthErrorCode } from '#lib/oauth/oauth-error.ts';
import { findResource } from '#lib/oauth/resource.ts';
import type { Ctx } from '#lib/platform/ctx.ts';
import { err, ok, type Result } from '#lib/platform/result.ts';
import { findClient, type KnownClient } from './known-client.ts';

/** A request nothing is wrong with. `resource` is canonical, null when the client named none and there is a choice. */
export type SoundRequest = { client: KnownClient; request: AuthorizationRequest; resource: string | null };

/** What is wrong with a request, by who may be told of it (RFC 6749 §4.1.2.1). */
export type RequestFault =
  /** Nobody known sent it, or nowhere known is to be answered: only whoever is asking here. */
  | ({ tells: 'nobody' } & AuthorizationPageError)
  /** Its client is gone for good. */
  | { tells: 'nobody'; tombstone: KnownClient }
  /** The client, at a redirect URI it registered. */
  | {
      tells: 'client';
      client: KnownClient;
      redirectUri: string;
      error: OAuthErrorCode;
      description: string;
      state: string | null;
    };

/**
 * Judges an authorization request on its form, its client and its resource, in the order in which nobody is redirected
 * anywhere a person has not reason to go. Says nothing about what the client may have. Reads only.
 */
export async function judgeAuthorization(
  ctx: Ctx,
  parameters: AuthorizationParameters,
): Promise<Result<SoundRequest, RequestFault>> {
  const nobody = (error: OAuthErrorCode, description: string) =>
    err({ tells: 'nobody' as const, error, description });
  const found = await findClient(ctx, parameters.clientId);
  if (!found.found) {
    if (found.because === 'document') return nobody('invalid_request', found.description);
    return nobody('invalid_client', 'This client is not registered here. It has to register again.');
  }
  const { client } = found;
  if (client.forgottenAt && client.forgottenCause !== 'unclaimed') {
    return err({ tells: 'nobody', tombstone: client });
  }
  const redirect = resolveRedirectUri(parameters, client.redirectUris);
  if (!redirect.ok) return nobody(redirect.error.error, redirect.error.description);
  const { redirectUri } = redirect.value;
  const checked = checkAuthorizationRequest(parameters, redirect.value);
  if (!checked.ok) return err({ tells: 'client', client, redirectUri, ...checked.error });
  const { state } = checked.value;
  const tell = (error: OAuthErrorCode, description: string) =>
    err({ tells: 'client' as const, client, redirectUri, error, description, state });
  if (!client.grantTypes.includes('authorization_code')) {
    return tell('unauthorized_client', 'This client is not registered for the authorization_code grant.');
  }
  const resource = await chooseResource(ctx, checked.value.resource);
  if (resource === 'unknown') {
    return tell('invalid_target', 'The requested resource is not a server known here.');
  }
  return ok({ client, request: checked.value, resource });
}

/** The canonical resource asked for (RFC 8707 §2): null when none was and there is a choice. */
export async function chooseResource(ctx: Ctx, requested: string | null): Promise<string | null | 'unknown'> {
  const servers = await ctx.db.prisma.mcpServer.findMany({
    where: { state: 'active' },
    select: { resource: true },
  });
  const known = servers.map((server) => server.resource);
  if (requested !== null) return findResource(known, requested) ?? 'unknown';
  return known.length === 1 ? (known[0] as string) : null;
}
