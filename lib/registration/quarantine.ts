/** Quarantine ends by itself, in seconds, whatever nobody does. */
export const quarantineSeconds = 24 * 3600;
