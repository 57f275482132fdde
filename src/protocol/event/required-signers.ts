import { parseUserId, type ServerName, serverNameOf } from '../ids/index.ts';
import { readString, readValue } from '../json/index.ts';
import type { Event } from './event.ts';

/**
 * The servers whose signatures a received event must bear: the sender's, unless the event is an invite by a third party,
 * which another server may send; in room versions 1 and 2 also the one in the event's id; and the one that let a user
 * join a restricted room (the auth rules demand it; it is checked with the others, as the auth rules see no keys).
 * Spec: server-server-api/#validating-hashes-and-signatures-on-received-events, rooms/v8/#authorisation-rules
 */
export function requiredSigners(event: Event): ReadonlySet<ServerName> {
  const signers = new Set<ServerName>();
  const isMember = event.type === 'm.room.member';
  const isThirdPartyInvite =
    isMember &&
    readString(event.content, 'membership') === 'invite' &&
    readValue(event.content, 'third_party_invite') !== undefined;
  if (!isThirdPartyInvite) signers.add(serverNameOf(event.sender));
  if (event.rules.eventIds === 'in-event') {
    const server = serverNameOf(event.eventId);
    if (server !== undefined) signers.add(server);
  }
  if (isMember && event.rules.restricted) {
    const authoriser = parseUserId(readString(event.content, 'join_authorised_via_users_server') ?? '');
    if (authoriser !== undefined) signers.add(serverNameOf(authoriser));
  }
  return signers;
}
