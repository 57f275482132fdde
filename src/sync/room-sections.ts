import { matchesRoom } from '../protocol/filter/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { StoredEvent, UnreadRoom } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import { encodeTimelineToken } from '../streams/index.ts';
import { shapeEvents } from './event-shape.ts';
import type { UserRoom } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext } from './request.ts';
import { countsJson, summaryJson } from './room-json.ts';
import { roomState } from './room-state.ts';
import { eventAt, type StatePoint, stateAtPosition, stateBefore } from './state-at.ts';
import { readTimeline } from './timeline.ts';

/** What of a joined room is read for all rooms of the answer at once. */
export interface RoomExtras {
  readonly counts: UnreadRoom | undefined;
  /** Events as JSON. */
  readonly accountData: readonly string[];
  readonly ephemeral: readonly string[];
}

/** A part of an answer, and the members that a lazily loading client learns by it. */
export interface RoomSection {
  readonly json: string;
  readonly told: readonly UserId[];
}

/** A joined room's part of the answer; undefined where there is nothing to tell. */
export async function joinedRoom(
  tx: ReadTx,
  rooms: SyncRooms,
  context: SyncContext,
  room: UserRoom,
  extras: RoomExtras,
): Promise<RoomSection | undefined> {
  const { viewer, query, since, to } = context;
  const { filter } = query;
  const wasJoined = since !== undefined && (await wasIn(tx, rooms, context, room, since.events));
  const known = wasJoined ? since.events : undefined;
  const sight = await rooms.sight(tx, viewer.userId, room.roomNid, true);
  const hidesNothing = known !== undefined && room.position <= known;
  const chunk = matchesRoom(filter.room.timeline, room.roomId)
    ? await readTimeline(tx, rooms, {
        roomNid: room.roomNid,
        after: known,
        upTo: to.events,
        filter: filter.room.timeline,
        visible: visibleIn(tx, context, sight, hidesNothing),
      })
    : { events: [], limited: false, prevBatch: to.events };
  const state = await roomState(tx, rooms, context, room, chunk, known);
  const hasMembershipChange = [...state.events, ...chunk.events].some(({ event }) => event.type === 'm.room.member');
  const isNews = known === undefined || query.fullState || chunk.events.length > 0 || state.events.length > 0;
  if (!isNews && extras.accountData.length === 0 && extras.ephemeral.length === 0 && !chunk.limited) return undefined;

  const summary =
    known === undefined || query.fullState || hasMembershipChange
      ? summaryJson(await rooms.summary(tx, room.roomNid, viewer.userId))
      : '{}';
  const stateKey = query.useStateAfter ? query.stateAfterKey : 'state';
  const stateJson = (await shapeEvents(tx, rooms, state.events, viewer, sight, filter)).join(',');
  const timelineJson = (await shapeEvents(tx, rooms, chunk.events, viewer, sight, filter)).join(',');
  return {
    json:
      `{"timeline":{"events":[${timelineJson}],"limited":${chunk.limited},` +
      `"prev_batch":"${encodeTimelineToken(chunk.prevBatch)}"},"${stateKey}":{"events":[${stateJson}]},` +
      `"summary":${summary},"account_data":{"events":[${extras.accountData.join(',')}]},` +
      `"ephemeral":{"events":[${extras.ephemeral.join(',')}]}${countsJson(extras.counts, context)}}`,
    told: state.told,
  };
}

/** A room that the user left or was banned from: what they may see of it up to then. */
export async function leftRoom(
  tx: ReadTx,
  rooms: SyncRooms,
  context: SyncContext,
  room: UserRoom,
): Promise<RoomSection> {
  const { viewer, query, since, to } = context;
  const { filter } = query;
  const wasJoined = since !== undefined && (await wasIn(tx, rooms, context, room, since.events));
  const known = wasJoined ? since.events : undefined;
  const sight = await rooms.sight(tx, viewer.userId, room.roomNid, false);
  const chunk = await readTimeline(tx, rooms, {
    roomNid: room.roomNid,
    after: known,
    upTo: Math.min(room.position, to.events),
    filter: filter.room.timeline,
    visible: visibleIn(tx, context, sight, false, room),
  });
  const state = await roomState(tx, rooms, context, room, chunk, known);
  const stateKey = query.useStateAfter ? query.stateAfterKey : 'state';
  const stateJson = (await shapeEvents(tx, rooms, state.events, viewer, sight, filter)).join(',');
  const timelineJson = (await shapeEvents(tx, rooms, chunk.events, viewer, sight, filter)).join(',');
  return {
    json:
      `{"timeline":{"events":[${timelineJson}],"limited":${chunk.limited},` +
      `"prev_batch":"${encodeTimelineToken(chunk.prevBatch)}"},"${stateKey}":{"events":[${stateJson}]},` +
      `"account_data":{"events":[]}}`,
    told: state.told,
  };
}

/** Whether the user was in the room at a position, and (as far as the last member event tells) ever since. */
async function wasIn(
  tx: ReadTx,
  rooms: SyncRooms,
  { viewer }: SyncContext,
  room: UserRoom,
  position: number,
): Promise<boolean> {
  if (room.position <= position) return room.membership === 'join';
  const then = await stateAtPosition(tx, rooms, room.roomNid, position);
  if (!(await isJoinedAt(tx, rooms, then, viewer.userId))) return false;
  if (room.membership !== 'join') return true;
  const [member] = await rooms.eventsByNids(tx, [room.eventNid]);
  return member !== undefined && isJoinedAt(tx, rooms, stateBefore(member), viewer.userId);
}

async function isJoinedAt(
  tx: ReadTx,
  rooms: SyncRooms,
  point: StatePoint | undefined,
  userId: UserId,
): Promise<boolean> {
  const nid = point && (await eventAt(tx, rooms, point, 'm.room.member', userId));
  const [member] = nid === undefined ? [] : await rooms.eventsByNids(tx, [nid]);
  return member?.event.content.membership === 'join';
}

/** What takes away the events that the user may not see, or those of ignored users; undefined where nothing can be. */
function visibleIn(
  tx: ReadTx,
  { ignored, viewer }: SyncContext,
  sight: Awaited<ReturnType<SyncRooms['sight']>>,
  hidesNothing: boolean,
  left?: UserRoom,
): ((events: readonly StoredEvent[]) => Promise<readonly StoredEvent[]>) | undefined {
  if (hidesNothing && ignored.size === 0) return undefined;
  return async (events) => {
    // The event that ended the stay is always told, also of rooms that the user was only invited to.
    const seen = hidesNothing ? events : await seenOf(tx, sight, events, left?.eventNid);
    return ignored.size === 0
      ? seen
      : seen.filter(({ event }) => event.isState || event.sender === viewer.userId || !ignored.has(event.sender));
  };
}

async function seenOf(
  tx: ReadTx,
  sight: Awaited<ReturnType<SyncRooms['sight']>>,
  events: readonly StoredEvent[],
  alwaysSeen: number | undefined,
): Promise<readonly StoredEvent[]> {
  await sight.load(tx, events);
  return events.filter((event) => event.nid === alwaysSeen || sight.canSee(event));
}
