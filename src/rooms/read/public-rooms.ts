import { invalidParam } from '../../protocol/errors.ts';
import type { RoomId } from '../../protocol/ids/index.ts';
import type { Database, ReadTx } from '../../storage/index.ts';
import { countPublicRooms, listPublicRooms, type PublicRoomRow, type RoomPlace } from './public-rooms-store.ts';

/** What of the published directory is asked for. */
export interface PublicRoomsRequest {
  readonly limit: number;
  /** A token from an earlier answer. */
  readonly since: string | undefined;
  /** Looked for in name, topic and alias. */
  readonly searchTerm: string | undefined;
  /** Room types to include, null for rooms without one; undefined for all. */
  readonly roomTypes: ReadonlySet<string | null> | undefined;
  /** Another server asks: rooms that its users can't enter (`m.federate`) are left out. */
  readonly isForOthers?: boolean;
}

/** A room of the directory, as the wire has it. Spec: client-server-api/#get_matrixclientv3publicrooms */
export interface PublicRoom {
  readonly room_id: RoomId;
  readonly num_joined_members: number;
  readonly world_readable: boolean;
  readonly guest_can_join: boolean;
  readonly join_rule: string;
  readonly name?: string;
  readonly topic?: string;
  readonly canonical_alias?: string;
  readonly avatar_url?: string;
  readonly room_type?: string;
}

export interface PublicRoomsPage {
  readonly chunk: readonly PublicRoom[];
  readonly next_batch?: string;
  readonly prev_batch?: string;
  readonly total_room_count_estimate: number;
}

/** How many rooms are looked at for one page where a search leaves most of them out. */
const SCANNED_MAX = 5_000;
const BATCH = 200;

/**
 * A page of the published directory: the rooms with the most members first. Tokens name a place in that order, not a number
 * of rooms, so that nothing is skipped or doubled while rooms come and go.
 * @throws M_INVALID_PARAM for a bad token
 */
export async function publicRooms(database: Database, request: PublicRoomsRequest): Promise<PublicRoomsPage> {
  const start = request.since === undefined ? undefined : parseToken(request.since);
  const dir = start?.dir ?? 'n';
  return database.read(async (tx) => {
    const { rows, isMore } = await findRooms(tx, request, dir, start?.place);
    const ordered = dir === 'n' ? rows : rows.toReversed();
    const hasNext = dir === 'n' ? isMore : true;
    const hasPrevious = dir === 'n' ? start !== undefined : isMore;
    const first = ordered[0];
    const last = ordered.at(-1);
    return {
      chunk: ordered.map(toPublicRoom),
      ...(hasNext && last !== undefined && { next_batch: tokenOf('n', last) }),
      ...(hasPrevious && first !== undefined && { prev_batch: tokenOf('p', first) }),
      total_room_count_estimate: await countPublicRooms(tx),
    };
  });
}

async function findRooms(
  tx: ReadTx,
  { limit, searchTerm, roomTypes, isForOthers = false }: PublicRoomsRequest,
  dir: 'n' | 'p',
  start: RoomPlace | undefined,
): Promise<{ readonly rows: readonly PublicRoomRow[]; readonly isMore: boolean }> {
  const needle = searchTerm?.toLowerCase();
  const found: PublicRoomRow[] = [];
  let place = start;
  for (let scanned = 0; scanned < SCANNED_MAX; scanned += BATCH) {
    const batch = await listPublicRooms(tx, { dir, place, limit: BATCH });
    for (const row of batch) {
      if (isForOthers && row.federate === 0) continue;
      if (roomTypes !== undefined && !roomTypes.has(row.room_type)) continue;
      if (needle !== undefined && !mentions(row, needle)) continue;
      if (found.length === limit) return { rows: found, isMore: true };
      found.push(row);
    }
    if (batch.length < BATCH) break;
    place = batch.at(-1);
  }
  return { rows: found, isMore: false };
}

function mentions({ name, topic, canonical_alias: alias }: PublicRoomRow, needle: string): boolean {
  return [name, topic, alias].some((text) => text?.toLowerCase().includes(needle));
}

/** A room as the directory shows it. */
export function toPublicRoom(row: PublicRoomRow): PublicRoom {
  return {
    room_id: row.room_id,
    num_joined_members: row.joined_count,
    world_readable: row.history_visibility === 'world_readable',
    guest_can_join: row.guest_access === 'can_join',
    join_rule: row.join_rule ?? 'invite',
    ...(row.name !== null && { name: row.name }),
    ...(row.topic !== null && { topic: row.topic }),
    ...(row.canonical_alias !== null && { canonical_alias: row.canonical_alias }),
    ...(row.avatar_url !== null && { avatar_url: row.avatar_url }),
    ...(row.room_type !== null && { room_type: row.room_type }),
  };
}

/** `n` goes on behind a room, `p` back before it. */
function tokenOf(dir: 'n' | 'p', { joined_count, room_nid }: RoomPlace): string {
  return `${dir}${joined_count}_${room_nid}`;
}

function parseToken(token: string): { readonly dir: 'n' | 'p'; readonly place: RoomPlace } {
  const match = /^([np])([0-9]{1,15})_([0-9]{1,15})$/.exec(token);
  if (match === null) throw invalidParam('Not a token of the room directory');
  const [, dir, count, nid] = match;
  return { dir: dir === 'p' ? 'p' : 'n', place: { joined_count: Number(count), room_nid: Number(nid) } };
}
