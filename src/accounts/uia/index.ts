/** User-interactive authentication. */
export { allStages } from './all-stages.ts';
export type { OAuthApproval } from './oauth.ts';
export type { AuthData, StageName } from './stages.ts';
export { type Flow, Uia, type UiaOutcome } from './uia.ts';
