import type { z } from 'zod';
import type { GateCtx } from '../context.ts';

/**
 * One operation of `/api/v1`, described once: the schemas parse what comes in, type the handler and become the
 * OpenAPI document. Handlers call one verb or one read; rights are the verb's business.
 */
export type ApiRoute<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Response extends z.ZodType = z.ZodType,
> = {
  method: 'get' | 'post' | 'patch' | 'delete';
  /** OpenAPI form under /api/v1, e.g. `/requests/{id}/approve`. */
  path: string;
  operationId: string;
  summary: string;
  tag: string;
  params?: Params;
  query?: Query;
  body?: Body;
  response: Response;
  /** Success status; 200 unless told. */
  status?: number;
  handle(
    ctx: GateCtx,
    input: { params: z.output<Params>; query: z.output<Query>; body: z.output<Body> },
  ): Promise<z.input<Response>>;
};

export function defineRoute<
  Params extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Response extends z.ZodType,
>(route: ApiRoute<Params, Query, Body, Response>): ApiRoute {
  return route as unknown as ApiRoute;
}
