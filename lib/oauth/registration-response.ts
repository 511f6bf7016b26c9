import type { RegisteredMetadata } from '#lib/oauth/client-metadata.ts';
import { toNumericDate } from '#lib/platform/clock.ts';

/** The answer to a registration (RFC 7591 §3.2.1); send it with status 201 and no-store. */
export type RegistrationResponse = RegisteredMetadata & {
  client_id: string;
  client_id_issued_at: number;
  client_secret?: string;
  /** Required whenever a secret is issued; 0 would mean never. */
  client_secret_expires_at?: number;
  registration_access_token?: string;
  registration_client_uri?: string;
};

/** Maps a registered client to the wire. The secret is here once and nowhere else. */
export function toRegistrationResponse(client: {
  clientId: string;
  issuedAt: Date;
  metadata: RegisteredMetadata;
  secret?: { value: string; expiresAt: Date };
  management?: { accessToken: string; uri: string };
}): RegistrationResponse {
  return {
    client_id: client.clientId,
    client_id_issued_at: toNumericDate(client.issuedAt),
    ...(client.secret === undefined
      ? {}
      : {
          client_secret: client.secret.value,
          client_secret_expires_at: toNumericDate(client.secret.expiresAt),
        }),
    ...(client.management === undefined
      ? {}
      : {
          registration_access_token: client.management.accessToken,
          registration_client_uri: client.management.uri,
        }),
    ...client.metadata,
  };
}
