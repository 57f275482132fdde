import type { EventDraft } from '../../protocol/event/index.ts';
import { type EventId, parseEventId, type RoomId, type UserId } from '../../protocol/ids/index.ts';
import {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  readArray,
  readInteger,
  readString,
} from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';

/**
 * The draft of a member event from another server's template: where it goes in the room's graph is as they say, what it says
 * is ours. Undefined where the template can't be read.
 * Spec: server-server-api/#joining-rooms
 */
export function draftFromTemplate(
  template: JsonObject,
  rules: RoomVersionRules,
  ours: { readonly roomId: RoomId; readonly userId: UserId; readonly content: JsonObject; readonly nowTs: number },
): Omit<EventDraft, 'eventId'> | undefined {
  const prev = readReferences(template, 'prev_events');
  const auth = readReferences(template, 'auth_events');
  const depth = readInteger(template, 'depth');
  if (prev === undefined || auth === undefined || depth === undefined) return undefined;
  const hashes = rules.eventIds === 'in-event' ? { referenceHashes: new Map([...prev.hashes, ...auth.hashes]) } : {};
  return {
    type: 'm.room.member',
    roomId: ours.roomId,
    sender: ours.userId,
    stateKey: ours.userId,
    content: ours.content,
    originServerTs: ours.nowTs,
    depth,
    prevEvents: prev.ids,
    authEvents: auth.ids,
    ...hashes,
  };
}

function readReferences(template: JsonObject, key: string) {
  const values = readArray(template, key);
  if (values === undefined) return undefined;
  const ids: EventId[] = [];
  const hashes: [EventId, string][] = [];
  for (const value of values) {
    const { text, hash } = readReference(value);
    const id = parseEventId(text ?? '');
    if (id === undefined) return undefined;
    ids.push(id);
    if (hash !== undefined) hashes.push([id, hash]);
  }
  return { ids, hashes };
}

/** An id, or in room versions 1 and 2 an id with its hash. */
function readReference(value: JsonValue): { readonly text: string | undefined; readonly hash: string | undefined } {
  if (typeof value === 'string') return { text: value, hash: undefined };
  const [text, second] = isJsonArray(value) ? value : [];
  const hash = isJsonObject(second) ? readString(second, 'sha256') : undefined;
  return { text: typeof text === 'string' ? text : undefined, hash };
}
