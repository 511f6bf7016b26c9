import type { ApiRoute } from './route.ts';

export const peopleRoutes: readonly ApiRoute[] = [];
