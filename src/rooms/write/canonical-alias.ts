import { invalidParam, MatrixError } from '../../protocol/errors.ts';
import { parseRoomAlias, type RoomAlias, type RoomId } from '../../protocol/ids/index.ts';
import { type JsonObject, type JsonValue, readArray, readString, readValue } from '../../protocol/json/index.ts';
import { findAlias } from '../store/index.ts';
import type { WriteDeps } from './deps.ts';

/**
 * Aliases that are new in an `m.room.canonical_alias` must be valid and lead to the room.
 * Spec: client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey
 * @throws MatrixError `M_INVALID_PARAM`, `M_BAD_ALIAS`
 */
export async function checkCanonicalAlias(
  deps: WriteDeps,
  roomId: RoomId,
  stateKey: string,
  content: JsonObject,
): Promise<void> {
  const aliases = listedAliases(content);
  const before = await deps.writer.read(roomId, (room) => room.stateEvent('m.room.canonical_alias', stateKey)?.content);
  const known = new Set(before === undefined ? [] : knownAliases(before));
  for (const alias of aliases) {
    if (known.has(alias)) continue;
    const row = await deps.database.read((tx) => findAlias(tx, alias));
    if (row?.room_id !== roomId) throw new MatrixError('M_BAD_ALIAS', `The alias ${alias} does not point to this room`);
  }
}

function listedAliases(content: JsonObject): readonly RoomAlias[] {
  const alias = readValue(content, 'alias');
  const others = readValue(content, 'alt_aliases');
  if (others !== undefined && !Array.isArray(others)) throw invalidParam('alt_aliases must be an array');
  const texts = [...(alias === undefined || alias === null || alias === '' ? [] : [alias]), ...(others ?? [])];
  return texts.map(toAlias);
}

function toAlias(value: JsonValue): RoomAlias {
  const alias = typeof value === 'string' ? parseRoomAlias(value) : undefined;
  if (alias === undefined) throw invalidParam('Aliases must be valid room aliases');
  return alias;
}

/** What stood there before isn't checked again. */
function knownAliases(content: JsonObject): readonly (string | undefined)[] {
  const others = (readArray(content, 'alt_aliases') ?? []).filter((other) => typeof other === 'string');
  return [readString(content, 'alias'), ...others];
}
