/** `/sync`: what changed for a user since a token. */
export type { AccountDatum, SyncAccounts } from './account-data.ts';
export type { Produced, SyncExtension } from './extension.ts';
export type { SyncRooms } from './ports.ts';
export { presenceExtension } from './presence.ts';
export type { SyncQuery } from './request.ts';
export { Sync } from './sync.ts';
export { TYPING_STEP } from './typing-token.ts';
