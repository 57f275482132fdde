import { forbidden, invalidParam } from '../../protocol/errors.ts';
import { parseServerName, type RoomId, type ServerName, type UserId } from '../../protocol/ids/index.ts';
import { readStrings } from '../../protocol/json/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { findRoom, hasJoinedUserOf, type RoomRow } from '../store/index.ts';
import type { Reading } from './reading.ts';
import {
  childrenOf,
  mayKnowOf,
  previewOf,
  type RoomPreview,
  type SpaceChild,
  type SpaceRoom,
} from './room-previews.ts';

/** Asks other servers about rooms that we aren't in. Federation implements it; what it answers may be some minutes old. */
export interface RemotePreviews {
  /** The name of this server: of a room without any of its users others know more. */
  readonly serverName: ServerName;
  /** The room as another server shows it to a user of ours who may know of it; undefined where nobody tells. */
  findSpaceRoom(roomId: RoomId, via: readonly ServerName[], userId: UserId): Promise<SpaceRoom | undefined>;
  /** As `findSpaceRoom`, without children, for users and for those who aren't logged in. */
  findPreview(roomId: RoomId, via: readonly ServerName[], userId: UserId | undefined): Promise<RoomPreview | undefined>;
}

/** What `/hierarchy` asks for. */
export interface HierarchyRequest {
  readonly roomId: RoomId;
  readonly userId: UserId;
  readonly suggestedOnly: boolean;
  /** How many levels below the room; 0: only the room itself. */
  readonly maxDepth: number;
  readonly limit: number;
  readonly from: string | undefined;
}

/** A page of a space and what is in it, as the wire has it. */
export interface HierarchyPage {
  readonly rooms: readonly SpaceRoom[];
  readonly next_batch?: string;
}

interface Place {
  readonly roomId: RoomId;
  readonly via: readonly ServerName[];
  readonly depth: number;
}

/** How many rooms one request looks at, on the pages before its own included. */
const WALKED_MAX = 5_000;

/**
 * A page of the rooms in a space, depth first, each room once. A token says how many rooms were shown: each page walks the space
 * anew, so nothing is kept between pages, and a restart breaks none.
 * Spec: client-server-api/#get_matrixclientv1roomsroomidhierarchy
 * @throws M_FORBIDDEN where the user may not know of the room, M_INVALID_PARAM for a token of another request
 */
export async function spaceHierarchy(reading: Reading, request: HierarchyRequest): Promise<HierarchyPage> {
  const { roomId, maxDepth, limit } = request;
  const shown = shownBefore(request);
  const rooms: SpaceRoom[] = [];
  const met = new Set<RoomId>();
  const open: Place[] = [{ roomId, via: [], depth: 0 }];
  let found = 0;
  while (met.size < WALKED_MAX) {
    const place = open.pop();
    if (place === undefined) return { rooms };
    if (met.has(place.roomId)) continue;
    met.add(place.roomId);
    const room = await findSpaceRoom(reading, place, request);
    if (room === undefined) {
      if (place.depth === 0) throw forbidden('You are not allowed to view this room');
      continue;
    }
    if (rooms.length === limit) return { rooms, next_batch: tokenOf(request, found) };
    found++;
    if (found > shown) rooms.push(room);
    if (place.depth < maxDepth) {
      for (const child of room.children_state.toReversed()) open.push(placeOf(child, place.depth + 1));
    }
  }
  return { rooms };
}

async function findSpaceRoom(
  reading: Reading,
  { roomId, via }: Place,
  { userId, suggestedOnly }: HierarchyRequest,
): Promise<SpaceRoom | undefined> {
  const { database, states, remotePreviews } = reading;
  const local = await database.read(async (tx) => {
    const room = await findOwnRoom(tx, reading, roomId);
    if (room === undefined) return undefined;
    if (!(await mayKnowOf(tx, states, room, userId))) return 'hidden';
    const children = await childrenOf(tx, states, room, suggestedOnly);
    return { ...(await previewOf(tx, states, room)), children_state: children };
  });
  if (local !== undefined) return local === 'hidden' ? undefined : local;
  const remote = await remotePreviews?.findSpaceRoom(roomId, via, userId);
  if (remote === undefined || !suggestedOnly) return remote;
  return { ...remote, children_state: remote.children_state.filter(({ content }) => content.suggested === true) };
}

/** A room, if what we have of it is as good as what others have: one of our users is in it, or there are no others. */
export async function findOwnRoom(
  tx: ReadTx,
  { remotePreviews }: Pick<Reading, 'remotePreviews'>,
  roomId: RoomId,
): Promise<RoomRow | undefined> {
  const room = await findRoom(tx, roomId);
  if (room === undefined || remotePreviews === undefined) return room;
  return (await hasJoinedUserOf(tx, room.room_nid, remotePreviews.serverName)) ? room : undefined;
}

function placeOf({ state_key: roomId, content }: SpaceChild, depth: number): Place {
  const via = (readStrings(content, 'via') ?? []).map(parseServerName).filter((name) => name !== undefined);
  return { roomId, via, depth };
}

/** `h<rooms shown>_<depth>_<suggested only>`: the latter two may not change between pages. */
function tokenOf({ maxDepth, suggestedOnly }: HierarchyRequest, shown: number): string {
  return `h${shown}_${maxDepth}_${Number(suggestedOnly)}`;
}

function shownBefore(request: HierarchyRequest): number {
  if (request.from === undefined) return 0;
  const shown = Number(/^h([0-9]{1,6})_/.exec(request.from)?.[1]);
  if (request.from !== tokenOf(request, shown)) {
    throw invalidParam('Not a token of this hierarchy; suggested_only and max_depth cannot change between pages');
  }
  return shown;
}
