import type { Event } from '../event/index.ts';
import { isJsonObject, type JsonValue, readValue } from '../json/index.ts';

const CACHED_PATHS_MAX = 1000;
const cachedPaths = new Map<string, readonly string[]>();

/**
 * The property names of a dot-separated path. `\.` and `\\` stand for a dot and a backslash in a name.
 * Spec: appendices/#dot-separated-property-paths
 */
export function splitPropertyPath(path: string): readonly string[] {
  const cached = cachedPaths.get(path);
  if (cached !== undefined) return cached;
  const names: string[] = [];
  let name = '';
  for (let i = 0; i < path.length; i++) {
    const character = path.charAt(i);
    const following = path.charAt(i + 1);
    if (character === '\\' && (following === '.' || following === '\\')) {
      name += following;
      i++;
    } else if (character === '.') {
      names.push(name);
      name = '';
    } else {
      name += character;
    }
  }
  names.push(name);
  if (cachedPaths.size >= CACHED_PATHS_MAX) cachedPaths.clear();
  cachedPaths.set(path, names);
  return names;
}

/** The event's property at the path, as clients see the event; undefined where it is absent. */
export function eventProperty(event: Event, path: string): JsonValue | undefined {
  const names = splitPropertyPath(path);
  let value = topLevelProperty(event, names[0] ?? '');
  for (let i = 1; i < names.length; i++) {
    if (!isJsonObject(value)) return undefined;
    value = readValue(value, names[i] ?? '');
  }
  return value;
}

/** The id of the event and that of its room may not be in the PDU. */
function topLevelProperty(event: Event, name: string): JsonValue | undefined {
  switch (name) {
    case 'event_id':
      return event.eventId;
    case 'room_id':
      return event.roomId;
    default:
      return readValue(event.pdu, name);
  }
}
