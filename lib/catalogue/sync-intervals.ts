/** How often a server's tools may be read by themselves, in seconds: each hour, six hours, day or week. */
export const syncIntervals = [3_600, 21_600, 86_400, 604_800] as const;
