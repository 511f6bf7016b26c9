import { z } from 'zod';
import type { Ctx } from '#lib/platform/ctx.ts';
import { Conflict } from '#lib/platform/errors.ts';
import { readProviderMetadata } from './provider-metadata.ts';
import { requireRole } from './require.ts';

export const testProviderInput = z.strictObject({});

/**
 * Reads the identity provider's metadata as a sign-in would; signs nobody in and changes nothing. The address is the
 * operator's. Throws `Unavailable` with what is wrong, `Conflict` where no provider is configured. Only an admin.
 */
export async function testProvider(
  ctx: Ctx,
): Promise<{ issuer: string; authorizationEndpoint: string; idTokenAlgorithm: string }> {
  requireRole(ctx, 'admin');
  const provider = ctx.site.identityProvider;
  if (!provider) throw new Conflict('No identity provider is configured.');
  const { issuer, authorizationEndpoint, idTokenAlgorithm } = await readProviderMetadata(
    provider.issuer,
    ctx.clock,
  );
  return { issuer, authorizationEndpoint, idTokenAlgorithm };
}
