/** What events of ours are made of, and what becomes of those that nobody sees. */
import { randomBytes } from 'node:crypto';
import { selectAuthEvents } from '../../protocol/auth/index.ts';
import { type Event, makeEventId, referenceHash } from '../../protocol/event/index.ts';
import type { EventId, ServerName } from '../../protocol/ids/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import { UNREAD } from '../store/index.ts';
import { type Extremity, type HotRoom, type StateEntry, StateNotLoaded } from './hot-room.ts';
import type { PendingEvent, Placement } from './pending.ts';
import type { Proposal } from './room-writer.ts';

const OPAQUE_ID_BYTES = 18;

/** The auth events of a proposal in a room. @throws StateNotLoaded where one of them isn't decoded */
export function authEntriesOf(room: HotRoom, proposal: Proposal): readonly StateEntry[] {
  const entries: StateEntry[] = [];
  let missing: StateEntry[] | undefined;
  for (const [type, stateKey] of selectAuthEvents(proposal, room.rules)) {
    const entry = room.entry(type, stateKey);
    if (entry === undefined) continue;
    entries.push(entry);
    if (entry.event === undefined) {
      missing ??= [];
      missing.push(entry);
    }
  }
  if (missing !== undefined) throw new StateNotLoaded(missing);
  return entries;
}

/** One more than the deepest. Spec: server-server-api/#pdus */
export function nextDepth(prev: readonly Extremity[]): number {
  let deepest = 0;
  for (const { depth } of prev) if (depth > deepest) deepest = depth;
  return Math.min(deepest + 1, Number.MAX_SAFE_INTEGER);
}

/** Room versions 1 and 2: a random id of our own, and the hashes of the events that are referred to. */
export function inEventParts(
  rules: RoomVersionRules,
  serverName: ServerName,
  prev: readonly Extremity[],
  auth: readonly StateEntry[],
) {
  const referenceHashes = new Map<EventId, string>();
  for (const { eventId, hash } of prev) if (hash !== undefined) referenceHashes.set(eventId, hash);
  for (const { eventId, event } of auth) {
    if (event !== undefined) referenceHashes.set(eventId, referenceHash(event.exactPdu, rules));
  }
  return { eventId: newEventId(serverName), referenceHashes };
}

export function newEventId(serverName: ServerName): EventId {
  const opaque = randomBytes(OPAQUE_ID_BYTES).toString('base64url').replace(/[-_]/g, 'x');
  return makeEventId(opaque, serverName);
}

/** An event that nobody sees: nothing follows from it. */
export function refusedEvent(room: HotRoom, event: Event, placement: Placement): PendingEvent {
  return {
    entry: undefined,
    member: undefined,
    relation: undefined,
    redaction: undefined,
    event,
    transaction: undefined,
    unread: UNREAD.none,
    notifications: [],
    extremity: { eventId: event.eventId, depth: event.depth, nid: 0, hash: undefined },
    extremitiesBefore: room.extremities,
    extremitiesAfter: room.extremities,
    figuresAfter: room.figures,
    placement,
  };
}
