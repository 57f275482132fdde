import { STICKY_KEY } from '../protocol/event/index.ts';
import { acceptsNothing, asksForRelated, matchesRoom } from '../protocol/filter/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { RoomSight, RoomSummary, StoredEvent, UnreadRoom } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import { encodeTimelineToken } from '../streams/index.ts';
import { shapeEvents } from './event-shape.ts';
import type { UserRoom } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext } from './request.ts';
import { countsJson, summaryJson } from './room-json.ts';
import { type RoomState, roomState } from './room-state.ts';
import type { KnownPart } from './stays.ts';
import { emptyTimeline, readTimeline, type TimelineChunk } from './timeline.ts';

/** What of a joined room is read for all rooms of the answer at once. */
export interface RoomExtras {
  readonly counts: UnreadRoom | undefined;
  /** Of rooms that the client gets whole; of others it is read where it has changed. */
  readonly summary: RoomSummary | undefined;
  /** The user has read further, so the counts are news. */
  readonly isRead: boolean;
  /** Events as JSON. */
  readonly accountData: readonly string[];
  readonly ephemeral: readonly string[];
  /** Sticky events, be they in the timeline or not. */
  readonly sticky: readonly StoredEvent[];
}

/** A part of an answer, and the members that a lazily loading client learns by it. */
export interface RoomSection {
  readonly json: string;
  readonly told: readonly UserId[];
}

/** Events that change what a summary says. */
const SUMMARY_TYPES: ReadonlySet<string> = new Set(['m.room.member', 'm.room.name', 'm.room.canonical_alias']);

/** Whether the client gets a room as if it knew nothing of it. */
export function isGivenWhole({ query }: SyncContext, { position }: KnownPart): boolean {
  return position === undefined || query.fullState;
}

/** A joined room's part of the answer; undefined where there is nothing to tell. */
export async function joinedRoom(
  tx: ReadTx,
  rooms: SyncRooms,
  context: SyncContext,
  room: UserRoom,
  part: KnownPart,
  extras: RoomExtras,
): Promise<RoomSection | undefined> {
  const { viewer, to } = context;
  const { position: known } = part;
  const sight = await rooms.sight(tx, viewer.userId, room.roomNid, true);
  // Who was in the room at the token and has been since sees all that came since.
  const hidesNothing = known !== undefined && room.position <= known;
  const chunk = await timelineOf(tx, rooms, context, room, {
    part,
    upTo: to.events,
    visible: visibleIn(tx, context, sight, hidesNothing),
  });
  const isWhole = isGivenWhole(context, part);
  const isCompleted = known !== undefined && rooms.completedAt(room.roomNid) > known;
  const hasNewSummary =
    isWhole || isCompleted || chunk.limited || chunk.hidesState || chunk.events.some(changesSummary);
  const summary = hasNewSummary ? (extras.summary ?? (await summaryFor(tx, rooms, context, room))) : undefined;
  const span = { known, isCompleted, upTo: to.events, chunk, heroes: summary?.heroes ?? [] };
  const state = await roomState(tx, rooms, context, room, span);
  const isNews =
    isWhole || isCompleted || chunk.limited || chunk.events.length > 0 || state.events.length > 0 || extras.isRead;
  const stickyJson = await stickyPart(tx, rooms, context, sight, withoutThose(extras.sticky, chunk.events));
  if (!isNews && stickyJson === '' && extras.accountData.length === 0 && extras.ephemeral.length === 0)
    return undefined;
  return {
    json:
      `{${await eventsJson(tx, rooms, context, sight, chunk, state)},` +
      `"summary":${summaryOf(summary)},"account_data":{"events":[${extras.accountData.join(',')}]},` +
      `"ephemeral":{"events":[${extras.ephemeral.join(',')}]}${stickyJson}${countsJson(extras.counts, context)}}`,
    told: state.told,
  };
}

/** What is in the timeline isn't told again. */
function withoutThose(sticky: readonly StoredEvent[], timeline: readonly StoredEvent[]): readonly StoredEvent[] {
  return sticky.filter((stored) => !timeline.some((one) => one.nid === stored.nid));
}

/** The sticky events of a room as a member of its JSON object; empty where there are none. MSC4354. */
async function stickyPart(
  tx: ReadTx,
  rooms: SyncRooms,
  { viewer, query }: SyncContext,
  sight: RoomSight,
  sticky: readonly StoredEvent[],
): Promise<string> {
  if (sticky.length === 0) return '';
  const events = await shapeEvents(tx, rooms, sticky, viewer, sight, query.filter);
  return `,"${STICKY_KEY}":{"events":[${events.join(',')}]}`;
}

/**
 * A room that the user left or was banned from: what they may see of it up to then. Who wasn't in the room, or left it
 * before the token, gets nothing but the event that tells it: of a rejected invite, of a ban after leaving.
 */
export async function leftRoom(
  tx: ReadTx,
  rooms: SyncRooms,
  context: SyncContext,
  room: UserRoom,
  part: KnownPart,
  accountData: readonly string[],
): Promise<RoomSection> {
  const { viewer, query, since, to } = context;
  const { position: known } = part;
  const sight = await rooms.sight(tx, viewer.userId, room.roomNid, false);
  const [member] = await rooms.eventsByNids(tx, [room.eventNid]);
  const { departure } = sight;
  const isNewlyGone = departure !== undefined && departure.position > (since?.events ?? 0);
  const stay = isNewlyGone ? departure : undefined;
  // The last member event may come after the stay: a ban, an invite that was taken back.
  const isAfterStay = member !== undefined && member.nid !== stay?.nid;
  let chunk = emptyTimeline(room.position - 1, false);
  let state: RoomState = { events: [], told: [] };
  if (stay !== undefined) {
    const upTo = Math.min(stay.position, to.events);
    chunk = await timelineOf(tx, rooms, context, room, {
      part,
      upTo,
      visible: visibleIn(tx, context, sight, false),
    });
    state = await roomState(tx, rooms, context, room, { known, isCompleted: false, upTo, chunk, heroes: [] });
  }
  if (isAfterStay) {
    const isOther = ({ event }: StoredEvent) => event.type !== 'm.room.member' || event.stateKey !== viewer.userId;
    const isInState = query.useStateAfter || acceptsNothing(query.filter.room.timeline);
    if (isInState) state = { ...state, events: [...state.events.filter(isOther), member] };
    if (!acceptsNothing(query.filter.room.timeline)) chunk = { ...chunk, events: [...chunk.events, member] };
  }
  return {
    json:
      `{${await eventsJson(tx, rooms, context, sight, chunk, state)},` +
      `"account_data":{"events":[${accountData.join(',')}]}}`,
    told: state.told,
  };
}

interface TimelineWish {
  readonly part: KnownPart;
  readonly upTo: number;
  readonly visible: Parameters<typeof readTimeline>[2]['visible'];
}

async function timelineOf(
  tx: ReadTx,
  rooms: SyncRooms,
  { query, chunks, lastEvents }: SyncContext,
  room: UserRoom,
  { part, upTo, visible }: TimelineWish,
): Promise<TimelineChunk> {
  const filter = query.filter.room.timeline;
  if (matchesRoom(filter, room.roomId) && !acceptsNothing(filter)) {
    // The same for all who wait, whatever happened elsewhere meanwhile.
    const last = Math.min(upTo, lastEvents.get(room.roomId) ?? upTo);
    const related = asksForRelated(filter)
      ? (events: readonly StoredEvent[]) => rooms.withRelated(tx, events, filter)
      : undefined;
    const range = { roomNid: room.roomNid, filter, after: part.position, upTo: last, related, visible };
    const chunk = await readTimeline(tx, chunks, range);
    return part.hasOld ? { ...chunk, limited: true } : chunk;
  }
  // Without a timeline, what changed is told by the state.
  return emptyTimeline(upTo, true);
}

function changesSummary({ event }: StoredEvent): boolean {
  return event.isState && SUMMARY_TYPES.has(event.type);
}

async function summaryFor(tx: ReadTx, rooms: SyncRooms, { viewer }: SyncContext, { roomNid }: UserRoom) {
  return (await rooms.summaries(tx, [roomNid], viewer.userId)).get(roomNid);
}

function summaryOf(summary: RoomSummary | undefined): string {
  return summary === undefined ? '{}' : summaryJson(summary);
}

/** The `timeline` and the `state` of a room, as members of its JSON object. */
async function eventsJson(
  tx: ReadTx,
  rooms: SyncRooms,
  { viewer, query, ignored }: SyncContext,
  sight: RoomSight,
  chunk: TimelineChunk,
  state: RoomState,
): Promise<string> {
  const stateKey = query.useStateAfter ? query.stateAfterKey : 'state';
  const stateJson = await shapeEvents(tx, rooms, state.events, viewer, sight, query.filter);
  // Where clients miss a part of the timeline, they are told what relates to the rest.
  const aggregateBut = chunk.limited ? ignored : undefined;
  const timelineJson = await shapeEvents(tx, rooms, chunk.events, viewer, sight, query.filter, aggregateBut);
  return (
    `"timeline":{"events":[${timelineJson.join(',')}],"limited":${chunk.limited},` +
    `"prev_batch":"${encodeTimelineToken(chunk.prevBatch)}"},"${stateKey}":{"events":[${stateJson.join(',')}]}`
  );
}

/** What takes away the events that the user may not see, or those of ignored users; undefined where nothing can be. */
function visibleIn(
  tx: ReadTx,
  { ignored, viewer }: SyncContext,
  sight: RoomSight,
  hidesNothing: boolean,
): ((events: readonly StoredEvent[]) => Promise<readonly StoredEvent[]>) | undefined {
  if (hidesNothing && ignored.size === 0) return undefined;
  return async (events) => {
    const seen = hidesNothing ? events : await sight.visible(tx, events);
    return ignored.size === 0
      ? seen
      : seen.filter(({ event }) => event.isState || event.sender === viewer.userId || !ignored.has(event.sender));
  };
}
