/** The user directory: who can be found by name, and which rooms two users share. */
export { UserDirectoryIndexer } from './indexer.ts';
export { userDirectoryMigrations } from './store.ts';
export { type FoundUser, UserDirectory } from './user-directory.ts';
