/** What those who are invited or knock are shown of a room that they aren't in. Spec: client-server-api/#stripped-state */
import type { Event } from '../../protocol/event/index.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readString } from '../../protocol/json/index.ts';
import type { HotRoom } from '../write/hot-room.ts';

const SHOWN_TYPES = [
  'm.room.create',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.encryption',
];
/** Of what another server shows no more events are kept. */
const SHOWN_MAX = 100;

/** The events of a room that are shown, with the member event of who invites. */
export function shownState(room: HotRoom, sender: UserId | undefined): readonly Event[] {
  const member = sender === undefined ? [] : [['m.room.member', sender] as const];
  const keys = [...SHOWN_TYPES.map((type) => [type, ''] as const), ...member];
  return keys.flatMap(([type, stateKey]) => room.stateEvent(type, stateKey) ?? []);
}

/** What another server shows, as clients get it; what is no state event is left out. */
export function stripAll(events: readonly JsonObject[]): readonly JsonObject[] {
  return events
    .slice(0, SHOWN_MAX)
    .map(strip)
    .filter((one) => one !== undefined);
}

/** The stripped form of an event that came stripped, or whole. */
function strip(event: JsonObject): JsonObject | undefined {
  const type = readString(event, 'type');
  const sender = readString(event, 'sender');
  const stateKey = readString(event, 'state_key');
  const { content } = event;
  if (type === undefined || sender === undefined || stateKey === undefined || !isJsonObject(content)) return undefined;
  return { content, sender, state_key: stateKey, type };
}
