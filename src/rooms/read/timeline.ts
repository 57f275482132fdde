import { matchesRoom, type RoomEventFilter } from '../../protocol/filter/index.ts';
import type { RoomId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { encodeTimelineToken } from '../../streams/index.ts';
import type { StoredEvent } from '../store/index.ts';
import { getReadableRoom, type ReadableRoom } from './access.ts';
import { type Page, readPage } from './pages.ts';
import { parsePosition } from './position-tokens.ts';
import { jsonArray, type Reading, sendersOf } from './reading.ts';
import type { Viewer } from './viewer.ts';
import { RoomSight } from './visibility.ts';

/** What `/messages` asks for. */
export interface TimelineRequest {
  readonly roomId: RoomId;
  readonly viewer: Viewer;
  readonly dir: 'b' | 'f';
  /** A token of the timeline or of `/sync`; without it the latest (`b`) or first (`f`) event is the first. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly limit: number;
  readonly filter: RoomEventFilter | undefined;
}

/**
 * A page of a room's timeline as JSON text: `start`, `end`, `chunk`, and with lazy loading the senders' member events.
 * Spec: client-server-api/#get_matrixclientv3roomsroomidmessages
 * @throws M_FORBIDDEN where the viewer may not read the room, M_INVALID_PARAM for a bad token
 */
export async function timelineJson(
  reading: Reading,
  request: TimelineRequest,
  history: OlderHistory = NO_OLDER_HISTORY,
): Promise<string> {
  const { viewer, dir, limit, filter, roomId } = request;
  const { database, events, states, presenter } = reading;
  const to = request.to === undefined ? undefined : parsePosition(request.to);
  const asked = request.from === undefined ? undefined : parsePosition(request.from);
  const isCut = dir === 'b' && (await fetchOlder(reading, request, history, asked));
  const ignored = await reading.accounts.ignoredUsers(viewer.userId);
  return database.read(async (tx) => {
    const readable = await getReadableRoom(tx, states, roomId, viewer.userId);
    const from = asked ?? (await endOfTimeline(tx, reading, readable, dir));
    const sight = new RoomSight(states, viewer.userId, readable.standing);
    const range = { roomNid: readable.room.room_nid, dir, from, to, limit };
    const isLeftOut = filter !== undefined && !matchesRoom(filter, roomId);
    const page = isLeftOut ? NOTHING : await readPage(tx, events, range, { filter, sight, ignored });
    const chunk = await presenter.present(tx, page.events, viewer, { sight, aggregateBut: ignored });
    // What is still missing may come later: there is a place to go on from.
    const endsAt = page.end ?? (isCut ? gapBehind(page.events, from) : undefined);
    const end = endsAt === undefined ? '' : `"end":"${encodeTimelineToken(endsAt)}",`;
    const state = filter?.lazyLoadMembers ? await senderMembers(tx, reading, page.events, viewer, sight) : '';
    return `{"start":"${encodeTimelineToken(from)}",${end}"chunk":${jsonArray(chunk)}${state}}`;
  });
}

/** Of a room that the filter leaves out. */
const NOTHING: Page = { events: [], end: undefined };

/** Fetches what other servers know of a room's past; `rooms/receive` does. */
export interface OlderHistory {
  /** Sees to it that a page back from a position has no hole. Resolves with whether one is left. */
  before(roomId: RoomId, from: number, limit: number): Promise<boolean>;
  /** Fetches the past back to a time, if an event nearer than `nearestTs` is known elsewhere. Resolves with whether it did. */
  reach(roomId: RoomId, ts: number, dir: 'b' | 'f', nearestTs: number | undefined): Promise<boolean>;
}

/** All there is is here. */
export const NO_OLDER_HISTORY: OlderHistory = { before: async () => false, reach: async () => false };

/** Only for those who may read in the room. */
async function fetchOlder(
  { database, states }: Reading,
  { roomId, viewer, limit }: TimelineRequest,
  history: OlderHistory,
  from: number | undefined,
): Promise<boolean> {
  if (history === NO_OLDER_HISTORY) return false;
  await database.read((tx) => getReadableRoom(tx, states, roomId, viewer.userId));
  return history.before(roomId, from ?? Number.MAX_SAFE_INTEGER, limit);
}

function gapBehind(events: readonly StoredEvent[], from: number): number {
  const last = events.at(-1);
  return last === undefined ? from : last.position - 1;
}

/** Where a timeline begins for a viewer who names no place. */
async function endOfTimeline(
  tx: ReadTx,
  { events, database }: Reading,
  { room, standing }: ReadableRoom,
  dir: 'b' | 'f',
): Promise<number> {
  if (dir === 'f') {
    const [first] = await events.inRoom(tx, room.room_nid, { from: -Number.MAX_SAFE_INTEGER, dir: 'f', limit: 1 });
    return (first?.position ?? 1) - 1;
  }
  // After they left, users see no more, unless the world does.
  if (standing.kind === 'left' && room.history_visibility !== 'world_readable') return standing.departure.position;
  const [last] = await events.inRoom(tx, room.room_nid, { from: Number.MAX_SAFE_INTEGER, dir: 'b', limit: 1 });
  return last?.position ?? database.positions.current('events');
}

/** `,"state":[…]` with the member events of the senders, as of the first event of the page. */
async function senderMembers(
  tx: ReadTx,
  { states, presenter }: Reading,
  page: readonly StoredEvent[],
  viewer: Viewer,
  sight: RoomSight,
): Promise<string> {
  const [first] = page;
  if (first === undefined) return ',"state":[]';
  const members: StoredEvent[] = [];
  for (const sender of sendersOf(page)) {
    const { event } = first;
    const isOwn = event.type === 'm.room.member' && event.stateKey === sender;
    const member = isOwn ? first : await states.memberEvent(tx, first.stateBefore, sender);
    if (member !== undefined) members.push(member);
  }
  return `,"state":${jsonArray(await presenter.present(tx, members, viewer, { sight }))}`;
}
