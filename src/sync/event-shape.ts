/** The shapes of events that a filter may ask for beside the usual one. Spec: client-server-api/#filtering */
import type { Filter } from '../protocol/filter/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../protocol/json/index.ts';
import type { RoomSight, StoredEvent, Viewer } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { SyncRooms } from './ports.ts';

/** Events of one room as JSON, in the format and with the fields that the filter asks for. */
export async function shapeEvents(
  tx: ReadTx,
  rooms: SyncRooms,
  events: readonly StoredEvent[],
  viewer: Viewer,
  sight: RoomSight,
  filter: Filter,
  aggregateBut?: ReadonlySet<UserId>,
): Promise<readonly string[]> {
  const shaped =
    filter.eventFormat === 'federation'
      ? events.map(({ event }) => event.json)
      : await rooms.present(tx, events, viewer, sight, aggregateBut);
  const { eventFields } = filter;
  return eventFields === undefined ? shaped : shaped.map((json) => pickFields(json, eventFields));
}

/** An event's JSON with nothing but the fields at these paths. */
export function pickFields(json: string, paths: readonly (readonly string[])[]): string {
  const source: unknown = JSON.parse(json);
  if (!isJsonObject(source)) return json;
  const picked: { [key: string]: JsonValue } = {};
  for (const path of paths) copyField(source, picked, path);
  return JSON.stringify(picked);
}

function copyField(source: JsonObject, target: { [key: string]: JsonValue }, path: readonly string[]): void {
  const [name, ...rest] = path;
  if (name === undefined || !Object.hasOwn(source, name)) return;
  const value = source[name];
  if (value === undefined) return;
  if (rest.length === 0) {
    define(target, name, value);
    return;
  }
  if (!isJsonObject(value)) return;
  const known = Object.hasOwn(target, name) ? target[name] : undefined;
  const inner: { [key: string]: JsonValue } = isJsonObject(known) ? { ...known } : {};
  copyField(value, inner, rest);
  if (Object.keys(inner).length > 0) define(target, name, inner);
}

/** Sets a property of its own, whatever its name: `__proto__` too is a name in JSON. */
function define(target: { [key: string]: JsonValue }, name: string, value: JsonValue): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}
