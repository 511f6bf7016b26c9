export {
  type GuardOptions,
  guardVersion,
  type LocalUpstream,
  type RunningGuard,
  startGuard,
} from './guard.ts';
export { EnrolmentError } from './identity.ts';
export { connectLibrary, type FetchHandler, type GuardLibrary, toNodeHandler } from './library.ts';
export type { StdioCommand } from './stdio-upstream.ts';
