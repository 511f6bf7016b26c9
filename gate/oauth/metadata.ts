import {
  metadataPaths,
  toAuthorizationServerMetadata,
  toOpenIdConfiguration,
} from '#lib/oauth/metadata-documents.ts';
import { offeredGrants } from '#lib/registration/registration-policy.ts';
import { allowCrossOrigin, crossOriginHeaders } from './answer.ts';
import { deviceAuthorizationPath } from './device-authorization.ts';
import type { Register } from './endpoint.ts';
import { jwksPath } from './jwks.ts';

/**
 * Discovery (RFC 8414, OpenID Connect Discovery 1.0 §3): what works here and nothing else. Every other well-known
 * path is a 404, never anything clients take for trouble.
 */
export const registerMetadata: Register = (app, gate) => {
  const { issuer } = gate.site;
  const features = {
    issuer,
    endpoints: {
      authorization: `${issuer}/authorize`,
      token: `${issuer}/token`,
      jwks: `${issuer}${jwksPath}`,
      registration: `${issuer}/register`,
      revocation: `${issuer}/revoke`,
      introspection: `${issuer}/introspect`,
      pushedAuthorizationRequest: `${issuer}/par`,
      ...(gate.site.deviceGrant ? { deviceAuthorization: `${issuer}${deviceAuthorizationPath}` } : {}),
    },
    grantTypes: offeredGrants(gate.site),
    authMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    clientIdMetadataDocuments: true,
  } as const;
  const documents = {
    // Callers of introspection are servers and guards, not clients: none of the clients' methods is theirs.
    authorizationServer: withoutIntrospectionMethods(toAuthorizationServerMetadata(features)),
    openId: {
      ...withoutIntrospectionMethods(toOpenIdConfiguration(features)),
      id_token_signing_alg_values_supported: ['EdDSA'],
    },
  };
  const paths = metadataPaths(issuer);
  for (const kind of ['authorizationServer', 'openId'] as const) {
    for (const path of paths[kind]) {
      allowCrossOrigin(app, path, 'GET');
      app.get(path, (c) =>
        c.json(documents[kind], 200, { ...crossOriginHeaders, 'cache-control': 'public, max-age=300' }),
      );
    }
  }
};

function withoutIntrospectionMethods(document: Record<string, unknown>): Record<string, unknown> {
  const {
    introspection_endpoint_auth_methods_supported: _methods,
    introspection_endpoint_auth_signing_alg_values_supported: _algorithms,
    ...rest
  } = document;
  return rest;
}
