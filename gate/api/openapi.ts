import { z } from 'zod';
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi';
import type { Site } from '#lib/platform/ctx.ts';
import { consoleUrl } from '#lib/platform/ctx.ts';
import type { ApiRoute } from './route.ts';

const problem = z
  .object({
    type: z.string().meta({ description: 'Stable URN, urn:countersign:problem:<code>.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'A sentence for people.' }),
    requestId: z.string(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem', description: 'Problem details (RFC 9457).' });

const problems: readonly [status: number, description: string][] = [
  [400, 'Malformed: not JSON, or cookie and bearer token together'],
  [401, 'No living API token'],
  [403, 'Known, and not allowed'],
  [404, 'Nothing here, or nothing you may see'],
  [409, 'Already decided or changed: a lost race'],
  [412, 'The snapshot changed since you read it'],
  [422, 'The input is not valid'],
  [428, 'The snapshot digest is missing'],
  [429, 'Too many requests'],
  [503, 'Cannot answer now; nothing happened'],
];

/** The OpenAPI 3.1 description of `/api/v1`, generated from the very schemas that parse and answer. */
export function openApiDocument(routes: readonly ApiRoute[], site: Site) {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operation(route) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Countersign',
      version: '1',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'Everything the console does, for programs. Send an API token made under Settings as `Authorization: Bearer cs_…`. ' +
        'A POST with an `Idempotency-Key` header takes effect at most once. Lists are paged by `cursor`.',
    },
    servers: [{ url: consoleUrl(site, '/api/v1') }, { url: `${site.issuer}/api/v1` }],
    security: [{ apiToken: [] }],
    components: {
      securitySchemes: { apiToken: { type: 'http', scheme: 'bearer', description: 'An API token, `cs_…`.' } },
    },
    paths,
  });
}

function operation(route: ApiRoute): ZodOpenApiOperationObject {
  const status = String(route.status ?? 200) as '200';
  const isChange = route.method !== 'get';
  return {
    operationId: route.operationId,
    summary: route.summary,
    tags: [route.tag],
    requestParams: {
      ...(route.params ? { path: route.params as z.ZodObject } : {}),
      ...(route.query ? { query: route.query as z.ZodObject } : {}),
      ...(isChange ? { header: z.object({ 'Idempotency-Key': z.string().max(255).optional() }) } : {}),
    },
    ...(route.body ? { requestBody: { content: { 'application/json': { schema: route.body } } } } : {}),
    responses: {
      [status]: { description: 'Done', content: { 'application/json': { schema: route.response } } },
      ...Object.fromEntries(
        problems.map(([code, description]) => [
          String(code),
          { description, content: { 'application/problem+json': { schema: problem } } },
        ]),
      ),
    },
  };
}
