/** Authorization: which auth events an event lists, what a user's power is, and whether an event is allowed. */
export { type AuthEventsOptions, checkAuthEvents } from './auth-events.ts';
export { type AuthState, authStateOf } from './auth-state.ts';
export { checkAuth } from './check.ts';
export { thirdPartySigners } from './member-third-party-rules.ts';
export { type PowerLevels, powerLevels, roomCreators } from './power-levels.ts';
export { type AuthEventsDraft, selectAuthEvents } from './selection.ts';
export { refusalText, type Verdict } from './verdict.ts';
