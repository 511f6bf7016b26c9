import { agentRoutes } from './agents.ts';
import { auditRoutes } from './audit.ts';
import { clientRoutes } from './clients.ts';
import { credentialRoutes } from './credentials.ts';
import { guardRoutes } from './guards.ts';
import { peopleRoutes } from './people.ts';
import { requestRoutes } from './requests.ts';
import { revocationRoutes } from './revocations.ts';
import type { ApiRoute } from './route.ts';
import { searchRoutes } from './search.ts';
import { serverRoutes } from './servers.ts';

/** Every operation of `/api/v1`: one file a noun, one line here. */
export const apiRoutes: readonly ApiRoute[] = [
  ...auditRoutes,
  ...agentRoutes,
  ...clientRoutes,
  ...credentialRoutes,
  ...guardRoutes,
  ...peopleRoutes,
  ...requestRoutes,
  ...revocationRoutes,
  ...searchRoutes,
  ...serverRoutes,
];
