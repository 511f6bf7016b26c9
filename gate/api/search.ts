import { z } from 'zod';
import { foundSchema, search, searchQuery } from '#lib/search/search.ts';
import { defineRoute } from './route.ts';

export const searchRoutes = [
  defineRoute({
    method: 'get',
    path: '/search',
    operationId: 'search',
    summary: 'Find agents, clients, requests, servers, tools, people and events, at most eight of a kind',
    tag: 'Search',
    query: searchQuery,
    response: z.object({ items: z.array(foundSchema) }),
    handle: (ctx, { query }) => search(ctx, query),
  }),
];
