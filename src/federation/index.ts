/** Federation: the way to other servers and back. What the servers say to each other is in rooms, delivery and server-api. */

export type { Backoff } from './backoff.ts';
export type { FederationCalls, JoinedRoom, MembershipTemplate, MissingEventsRequest, StateIds } from './calls.ts';
export type { StreamedAnswer } from './connections.ts';
export { RefusedError, toClientError, UnreachableError } from './errors.ts';
export type { EventSignatures } from './event-signatures.ts';
export { Federation, type FederationDeps } from './federation.ts';
export type { RemoteHierarchy, RemoteLookups } from './lookups.ts';
export type { ServerPolicy } from './policy.ts';
export { isPublicAddress, lookupPublic } from './public-addresses.ts';
export { federationMigrations } from './tables.ts';
export { type SignedRequestParts, signedAuthorization } from './x-matrix.ts';
