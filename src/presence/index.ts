/** Presence: who is online. */
export { Presence, type PresenceNews, presenceJson } from './presence.ts';
export { PRESENCES, type PresenceName, type PresenceView } from './user-state.ts';
