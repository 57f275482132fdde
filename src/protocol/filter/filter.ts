/**
 * Filters: which events a client wants to see. Parsed once, then asked for each event.
 * Spec: client-server-api/#filtering
 */
import type { RoomId, UserId } from '../ids/index.ts';
import type { TypePattern } from './type-pattern.ts';

/** Which events, whatever they are. An absent list means no restriction; `not…` wins over its counterpart. */
export interface EventFilter {
  /** 0: no events at all; undefined where the client named none. */
  readonly limit: number | undefined;
  readonly types: TypePattern | undefined;
  readonly notTypes: TypePattern | undefined;
  readonly senders: ReadonlySet<UserId> | undefined;
  readonly notSenders: ReadonlySet<UserId> | undefined;
}

/** Which events of rooms. */
export interface RoomEventFilter extends EventFilter {
  readonly rooms: ReadonlySet<RoomId> | undefined;
  readonly notRooms: ReadonlySet<RoomId> | undefined;
  readonly containsUrl: boolean | undefined;
  readonly lazyLoadMembers: boolean;
  readonly includeRedundantMembers: boolean;
  readonly unreadThreadNotifications: boolean;
  /** MSC3874: relation types that an event must have, or must not have. */
  readonly relTypes: ReadonlySet<string> | undefined;
  readonly notRelTypes: ReadonlySet<string> | undefined;
  /** MSC3440: who must have sent something that relates to the event, and by which relation types. */
  readonly relatedBySenders: ReadonlySet<UserId> | undefined;
  readonly relatedByRelTypes: ReadonlySet<string> | undefined;
}

/** Which rooms, and which events in them. */
export interface RoomFilter {
  readonly rooms: ReadonlySet<RoomId> | undefined;
  readonly notRooms: ReadonlySet<RoomId> | undefined;
  readonly includeLeave: boolean;
  readonly state: RoomEventFilter;
  readonly timeline: RoomEventFilter;
  readonly ephemeral: RoomEventFilter;
  readonly accountData: RoomEventFilter;
}

/** A whole filter, as `/sync` takes it. Two filters with the same `key` are the same. */
export interface Filter {
  /** The canonical JSON that it was parsed from. */
  readonly key: string;
  /** Paths of the fields to include, or undefined for all. */
  readonly eventFields: readonly (readonly string[])[] | undefined;
  readonly eventFormat: 'client' | 'federation';
  readonly presence: EventFilter;
  readonly accountData: EventFilter;
  readonly room: RoomFilter;
}

/** What a filter looks at in an event. Ephemeral events and account data have no sender. */
export interface FilterableEvent {
  readonly type: string;
  readonly sender: string | undefined;
  readonly content: { readonly url?: unknown; readonly 'm.relates_to'?: unknown };
}

/** Whether `filter` lets an event of this type and sender pass. */
export function matchesEvent(filter: EventFilter, type: string, sender: string | undefined): boolean {
  if (filter.notTypes?.matches(type)) return false;
  if (filter.types !== undefined && !filter.types.matches(type)) return false;
  return matchesSender(filter, sender);
}

/** Whether `filter` lets an event of a room pass. Whether the room itself passes, `matchesRoom` says. */
export function matchesRoomEvent(filter: RoomEventFilter, event: FilterableEvent): boolean {
  if (!matchesEvent(filter, event.type, event.sender)) return false;
  if (filter.containsUrl !== undefined && Object.hasOwn(event.content, 'url') !== filter.containsUrl) return false;
  if (filter.relTypes === undefined && filter.notRelTypes === undefined) return true;
  const relType = relTypeOf(event.content['m.relates_to']);
  if (relType !== undefined && filter.notRelTypes?.has(relType)) return false;
  return filter.relTypes === undefined || (relType !== undefined && filter.relTypes.has(relType));
}

/** Whether a room passes. */
export function matchesRoom(filter: Pick<RoomFilter, 'rooms' | 'notRooms'>, roomId: RoomId): boolean {
  if (filter.notRooms?.has(roomId)) return false;
  return filter.rooms === undefined || filter.rooms.has(roomId);
}

/** Whether nothing in a room is left out, so that no event needs to be looked at. */
export function acceptsEverything(filter: RoomEventFilter): boolean {
  return (
    filter.types === undefined &&
    filter.notTypes === undefined &&
    filter.senders === undefined &&
    filter.notSenders === undefined &&
    filter.containsUrl === undefined &&
    filter.relTypes === undefined &&
    filter.notRelTypes === undefined &&
    filter.relatedBySenders === undefined &&
    filter.relatedByRelTypes === undefined
  );
}

/** Whether it asks for events to which others relate, which the event alone doesn't tell (MSC3440). */
export function asksForRelated({ relatedBySenders, relatedByRelTypes }: RoomEventFilter): boolean {
  return relatedBySenders !== undefined || relatedByRelTypes !== undefined;
}

/** Whether everything is left out: a list of what may pass is there, and empty. */
export function acceptsNothing({ types, senders, relTypes }: RoomEventFilter): boolean {
  return types?.isEmpty === true || senders?.size === 0 || relTypes?.size === 0;
}

function matchesSender(filter: EventFilter, sender: string | undefined): boolean {
  // A set of ids is asked for text that may not be an id, which is then simply not in it.
  const has = (set: ReadonlySet<string>) => sender !== undefined && set.has(sender);
  if (filter.notSenders !== undefined && has(filter.notSenders)) return false;
  return filter.senders === undefined || has(filter.senders);
}

function relTypeOf(relation: unknown): string | undefined {
  if (typeof relation !== 'object' || relation === null || !('rel_type' in relation)) return undefined;
  return typeof relation.rel_type === 'string' ? relation.rel_type : undefined;
}
