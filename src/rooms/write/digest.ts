import type { Event } from '../../protocol/event/index.ts';
import { type JsonObject, readBoolean, readString } from '../../protocol/json/index.ts';
import type { RoomDigest } from '../store/index.ts';

/** The digest of a room without any state. */
export const EMPTY_DIGEST: RoomDigest = {
  name: null,
  topic: null,
  canonical_alias: null,
  avatar_url: null,
  join_rule: null,
  guest_access: null,
  history_visibility: null,
  room_type: null,
  encryption: null,
  federate: 1,
  creator: null,
  tombstone_replacement: null,
};

type Part = (content: JsonObject, event: Event) => Partial<RoomDigest>;

const text = (content: JsonObject, key: string): string | null => readString(content, key) ?? null;

/** What each state event says for the digest. */
const PARTS: ReadonlyMap<string, Part> = new Map<string, Part>([
  ['m.room.name', (content) => ({ name: text(content, 'name') })],
  ['m.room.topic', (content) => ({ topic: text(content, 'topic') })],
  ['m.room.canonical_alias', (content) => ({ canonical_alias: text(content, 'alias') })],
  ['m.room.avatar', (content) => ({ avatar_url: text(content, 'url') })],
  ['m.room.join_rules', (content) => ({ join_rule: text(content, 'join_rule') })],
  ['m.room.guest_access', (content) => ({ guest_access: text(content, 'guest_access') })],
  ['m.room.history_visibility', (content) => ({ history_visibility: text(content, 'history_visibility') })],
  ['m.room.encryption', (content) => ({ encryption: text(content, 'algorithm') })],
  ['m.room.tombstone', (content) => ({ tombstone_replacement: text(content, 'replacement_room') })],
  [
    'm.room.create',
    (content, event) => ({
      room_type: text(content, 'type'),
      federate: readBoolean(content, 'm.federate') === false ? 0 : 1,
      creator: event.rules.creatorFromSender ? event.sender : (text(content, 'creator') ?? event.sender),
    }),
  ],
]);

/** The digest after a state event; the same object where it says nothing for it. */
export function digestAfter(digest: RoomDigest, event: Event): RoomDigest {
  const part = event.stateKey === '' ? PARTS.get(event.type) : undefined;
  return part === undefined ? digest : { ...digest, ...part(event.content, event) };
}

/** The digest of a room that has no such state any more. */
export function digestWithout(digest: RoomDigest, type: string, stateKey: string): RoomDigest {
  const columns = stateKey === '' ? COLUMNS.get(type) : undefined;
  return columns === undefined ? digest : { ...digest, ...columns };
}

/** What the digest says where a state event is missing. The create event never is. */
const COLUMNS: ReadonlyMap<string, Partial<RoomDigest>> = new Map([
  ['m.room.name', { name: null }],
  ['m.room.topic', { topic: null }],
  ['m.room.canonical_alias', { canonical_alias: null }],
  ['m.room.avatar', { avatar_url: null }],
  ['m.room.join_rules', { join_rule: null }],
  ['m.room.guest_access', { guest_access: null }],
  ['m.room.history_visibility', { history_visibility: null }],
  ['m.room.encryption', { encryption: null }],
  ['m.room.tombstone', { tombstone_replacement: null }],
]);
