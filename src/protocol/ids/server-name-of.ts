import type { EventId, RoomAlias, RoomId, ServerName, UserId } from './brands.ts';

/**
 * The server name in an id: what follows its first colon. Room ids of version 12 and event ids since version 3 have none.
 * Spec: appendices/#common-identifier-format
 */
export function serverNameOf(id: UserId | RoomAlias): ServerName;
export function serverNameOf(id: UserId | RoomAlias | RoomId | EventId): ServerName | undefined;
export function serverNameOf(id: UserId | RoomAlias | RoomId | EventId): ServerName | undefined {
  const colon = id.indexOf(':');
  // The id's grammar has been checked, and with it this part.
  return colon === -1 ? undefined : (id.slice(colon + 1) as ServerName);
}
