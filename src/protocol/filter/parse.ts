import { z } from 'zod';
import { parseRoomId, parseUserId, type RoomId, type UserId } from '../ids/index.ts';
import { canonicalJsonLenient, type JsonObject, NotCanonicalError } from '../json/index.ts';
import type { EventFilter, Filter, RoomEventFilter, RoomFilter } from './filter.ts';
import { TypePattern } from './type-pattern.ts';

/** The most entries that a list in a filter may have. */
const LIST_LENGTH_MAX = 1000;

const strings = z.array(z.string()).max(LIST_LENGTH_MAX);
const users = z.array(z.string().transform(toUserId)).max(LIST_LENGTH_MAX);
const rooms = z.array(z.string().transform(toRoomId)).max(LIST_LENGTH_MAX);

const eventFilterJson = z.object({
  // 0 is against the specification's letter; clients that want no timeline send it.
  limit: z.int().min(0).optional(),
  types: strings.optional(),
  not_types: strings.optional(),
  senders: users.optional(),
  not_senders: users.optional(),
});

const roomEventFilterJson = eventFilterJson.extend({
  rooms: rooms.optional(),
  not_rooms: rooms.optional(),
  contains_url: z.boolean().optional(),
  lazy_load_members: z.boolean().optional(),
  include_redundant_members: z.boolean().optional(),
  unread_thread_notifications: z.boolean().optional(),
  rel_types: strings.optional(),
  not_rel_types: strings.optional(),
  related_by_senders: users.optional(),
  related_by_rel_types: strings.optional(),
  'org.matrix.msc3874.rel_types': strings.optional(),
  'org.matrix.msc3874.not_rel_types': strings.optional(),
});

const roomFilterJson = z.object({
  rooms: rooms.optional(),
  not_rooms: rooms.optional(),
  include_leave: z.boolean().optional(),
  state: roomEventFilterJson.optional(),
  timeline: roomEventFilterJson.optional(),
  ephemeral: roomEventFilterJson.optional(),
  account_data: roomEventFilterJson.optional(),
});

/** A filter as clients send it. Unknown keys are passed over. Spec: client-server-api/#post_matrixclientv3useruseridfilter */
export const filterJson = z.object({
  event_fields: strings.optional(),
  event_format: z.enum(['client', 'federation']).optional(),
  presence: eventFilterJson.optional(),
  account_data: eventFilterJson.optional(),
  room: roomFilterJson.optional(),
});

type EventFilterJson = z.output<typeof eventFilterJson>;
type RoomEventFilterJson = z.output<typeof roomEventFilterJson>;
type RoomFilterJson = z.output<typeof roomFilterJson>;

/** What `parseFilter` gives for JSON that is no filter: where it is wrong, and how. */
export interface BadFilter {
  readonly problem: string;
}

/** Parses a filter for `/sync`. Spec: client-server-api/#filtering */
export function parseFilter(json: JsonObject): Filter | BadFilter {
  const result = filterJson.safeParse(json);
  if (!result.success) return { problem: describe(result.error) };
  const { event_fields, event_format, presence, account_data, room } = result.data;
  const key = keyOf(json);
  if (key === undefined) return { problem: 'it has a value that has no canonical JSON' };
  return {
    key,
    eventFields: event_fields?.map(splitPath),
    eventFormat: event_format ?? 'client',
    presence: toEventFilter(presence ?? {}),
    accountData: toEventFilter(account_data ?? {}),
    room: toRoomFilter(room ?? {}),
  };
}

/** The same for filters that say the same; undefined where the JSON has lone surrogates or infinities, also in keys that we ignore. */
function keyOf(json: JsonObject): string | undefined {
  try {
    return canonicalJsonLenient(json);
  } catch (error) {
    if (error instanceof NotCanonicalError) return undefined;
    throw error;
  }
}

/** Parses a filter for `/messages`, `/context` and the like. Spec: client-server-api/#get_matrixclientv3roomsroomidmessages */
export function parseRoomEventFilter(json: JsonObject): RoomEventFilter | BadFilter {
  const result = roomEventFilterJson.safeParse(json);
  return result.success ? toRoomEventFilter(result.data) : { problem: describe(result.error) };
}

/** Tells a filter from a description of what is wrong with it. */
export function isBadFilter(filter: object): filter is BadFilter {
  return 'problem' in filter;
}

function toEventFilter(json: EventFilterJson): EventFilter {
  return {
    limit: json.limit,
    types: json.types && new TypePattern(json.types),
    notTypes: json.not_types?.length ? new TypePattern(json.not_types) : undefined,
    senders: json.senders && new Set(json.senders),
    notSenders: json.not_senders?.length ? new Set(json.not_senders) : undefined,
  };
}

function toRoomEventFilter(json: RoomEventFilterJson): RoomEventFilter {
  const relTypes = json.rel_types ?? json['org.matrix.msc3874.rel_types'];
  const notRelTypes = json.not_rel_types ?? json['org.matrix.msc3874.not_rel_types'];
  return {
    ...toEventFilter(json),
    rooms: json.rooms && new Set(json.rooms),
    notRooms: json.not_rooms?.length ? new Set(json.not_rooms) : undefined,
    containsUrl: json.contains_url,
    lazyLoadMembers: json.lazy_load_members ?? false,
    includeRedundantMembers: json.include_redundant_members ?? false,
    unreadThreadNotifications: json.unread_thread_notifications ?? false,
    relTypes: relTypes && new Set(relTypes),
    notRelTypes: notRelTypes?.length ? new Set(notRelTypes) : undefined,
    relatedBySenders: json.related_by_senders && new Set(json.related_by_senders),
    relatedByRelTypes: json.related_by_rel_types && new Set(json.related_by_rel_types),
  };
}

function toRoomFilter(json: RoomFilterJson): RoomFilter {
  return {
    rooms: json.rooms && new Set(json.rooms),
    notRooms: json.not_rooms?.length ? new Set(json.not_rooms) : undefined,
    includeLeave: json.include_leave ?? false,
    state: toRoomEventFilter(json.state ?? {}),
    timeline: toRoomEventFilter(json.timeline ?? {}),
    ephemeral: toRoomEventFilter(json.ephemeral ?? {}),
    accountData: toRoomEventFilter(json.account_data ?? {}),
  };
}

/** Splits a path at its dots; a backslash makes the next dot or backslash part of the name. Spec: appendices/#dot-separated-property-paths */
function splitPath(path: string): readonly string[] {
  const parts: string[] = [];
  let part = '';
  for (let i = 0; i < path.length; i++) {
    const char = path.charAt(i);
    const next = path.charAt(i + 1);
    if (char === '\\' && (next === '.' || next === '\\')) {
      part += next;
      i++;
    } else if (char === '.') {
      parts.push(part);
      part = '';
    } else {
      part += char;
    }
  }
  return [...parts, part];
}

function toUserId(text: string, context: z.RefinementCtx): UserId {
  const userId = parseUserId(text);
  if (userId !== undefined) return userId;
  context.addIssue({ code: 'custom', message: 'not a user id' });
  return z.NEVER;
}

function toRoomId(text: string, context: z.RefinementCtx): RoomId {
  const roomId = parseRoomId(text);
  if (roomId !== undefined) return roomId;
  context.addIssue({ code: 'custom', message: 'not a room id' });
  return z.NEVER;
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? 'not a filter' : `${issue.path.join('.')}: ${issue.message}`;
}
