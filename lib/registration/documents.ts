import { type ClientDocuments, createClientDocuments } from '#lib/oauth/fetch-client-metadata.ts';
import type { Ctx, Site } from '#lib/platform/ctx.ts';
import { createRemoteHttp } from '#lib/platform/http.ts';
import { metadataPolicy } from './registration-policy.ts';

const documents = new WeakMap<Site, ClientDocuments>();

/** The guarded door to client metadata documents, one with its cache for each installation. */
export function clientDocuments(ctx: Pick<Ctx, 'site' | 'clock'>): ClientDocuments {
  let known = documents.get(ctx.site);
  if (!known) {
    const allowLoopback = ctx.site.loopbackDocuments === true;
    known = createClientDocuments({
      http: createRemoteHttp({ allowLoopback, clock: ctx.clock }),
      policy: metadataPolicy(ctx.site),
      allowLoopback,
      clock: ctx.clock,
    });
    documents.set(ctx.site, known);
  }
  return known;
}
