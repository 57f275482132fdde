import { parseRoomId, type RoomId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readArray, readString } from '../protocol/json/index.ts';

/** Rooms that a join rule may name; more are not looked at. */
const ALLOWED_ROOMS_MAX = 100;

/** The rooms whose members a join rule lets in. Spec: client-server-api/#restricted-rooms */
export function allowedRoomsOf(content: JsonObject): readonly RoomId[] {
  const rooms: RoomId[] = [];
  for (const condition of readArray(content, 'allow') ?? []) {
    if (!isJsonObject(condition) || readString(condition, 'type') !== 'm.room_membership') continue;
    const roomId = parseRoomId(readString(condition, 'room_id') ?? '');
    if (roomId !== undefined && rooms.length < ALLOWED_ROOMS_MAX) rooms.push(roomId);
  }
  return rooms;
}
