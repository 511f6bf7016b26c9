/**
 * The newest migration that takes away what an earlier version reads or writes. A program that does not know it must
 * not run on this schema; one that knows it may run beside newer ones while an upgrade rolls. A migration that only
 * adds (what a test of the migrations holds, prisma/compatibility.test.ts) leaves this as it is.
 */
export const oldestCompatible = '0008_identity_provider';
