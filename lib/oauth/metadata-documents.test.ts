import { describe, expect, it } from 'vitest';
import {
  type AuthorizationServerFeatures,
  metadataPaths,
  parseIssuer,
  toAuthorizationServerMetadata,
  toOpenIdConfiguration,
} from '#lib/oauth/metadata-documents.ts';

const features: AuthorizationServerFeatures = {
  issuer: 'https://auth.example',
  endpoints: {
    authorization: 'https://auth.example/authorize',
    token: 'https://auth.example/token',
    jwks: 'https://auth.example/jwks',
    registration: 'https://auth.example/register',
    revocation: 'https://auth.example/revoke',
    introspection: 'https://auth.example/introspect',
  },
  grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
  authMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  clientIdMetadataDocuments: true,
};

describe('discovery documents', () => {
  it('publish what is switched on', () => {
    expect(toAuthorizationServerMetadata(features)).toMatchObject({
      issuer: 'https://auth.example',
      registration_endpoint: 'https://auth.example/register',
      grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
      token_endpoint_auth_methods_supported: [
        'none',
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
      ],
      introspection_endpoint_auth_methods_supported: [
        'client_secret_basic',
        'client_secret_post',
        'private_key_jwt',
      ],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
      scopes_supported: ['mcp'],
      response_types_supported: ['code'],
    });
  });

  it('stay silent about what is not', () => {
    const { authorization, token, jwks } = features.endpoints;
    const document = toAuthorizationServerMetadata({
      ...features,
      endpoints: { authorization, token, jwks },
      authMethods: ['none'],
      clientIdMetadataDocuments: false,
    });
    expect(
      Object.keys(document).filter((name) =>
        /registration|revocation|introspection|device|signing_alg/.test(name),
      ),
    ).toEqual([]);
    expect(document.client_id_metadata_document_supported).toBe(false);
  });

  it('never offer an unsigned or symmetric algorithm', () => {
    const offered = toAuthorizationServerMetadata(features)
      .token_endpoint_auth_signing_alg_values_supported as string[];
    expect(offered.some((alg) => alg === 'none' || alg.startsWith('HS'))).toBe(false);
  });

  it('have what the OpenID form requires', () => {
    expect(toOpenIdConfiguration(features)).toMatchObject({
      jwks_uri: 'https://auth.example/jwks',
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    });
  });

  it.each([
    'https://auth.example/authorize?x=$(id)',
    'https://auth.example/a;id',
    'javascript:alert(1)',
    'https://auth.example/`id`',
  ])('refuse the endpoint %s', (authorization) => {
    expect(() =>
      toAuthorizationServerMetadata({ ...features, endpoints: { ...features.endpoints, authorization } }),
    ).toThrow(TypeError);
  });

  it('are looked for where the issuer says', () => {
    expect(metadataPaths('https://auth.example')).toEqual({
      authorizationServer: ['/.well-known/oauth-authorization-server'],
      openId: ['/.well-known/openid-configuration'],
    });
    expect(metadataPaths('https://auth.example/tenant')).toEqual({
      authorizationServer: ['/.well-known/oauth-authorization-server/tenant'],
      openId: ['/.well-known/openid-configuration/tenant', '/tenant/.well-known/openid-configuration'],
    });
  });
});

describe('an issuer identifier', () => {
  it.each([
    'https://auth.example',
    'https://auth.example:8443',
    'https://auth.example/a',
    'http://localhost:3000',
    'http://127.0.0.1:3000',
    'http://[::1]:3000',
  ])('may be %s', (text) => {
    expect(parseIssuer(text).ok).toBe(true);
  });

  it.each([
    ['http://auth.example', 'not-https'],
    ['http://countersign.localhost:3000', 'not-https'],
    ['https://auth.example/', 'trailing-slash'],
    ['https://auth.example?x', 'query-or-fragment'],
    ['https://auth.example#x', 'query-or-fragment'],
    ['https://AUTH.example', 'not-normal'],
    ['https://a@auth.example', 'not-normal'],
    ['https://auth.example:443', 'not-normal'],
    ['auth.example', 'not-a-url'],
    ['https://auth.example\n', 'not-a-url'],
    ['', 'not-a-url'],
  ])('may not be %j', (text, problem) => {
    expect(parseIssuer(text)).toEqual({ ok: false, error: problem });
  });
});
