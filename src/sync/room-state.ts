import { matchesRoom } from '../protocol/filter/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { UserRoom } from './online-user.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext } from './request.ts';
import { type StatePoint, stateAfter, stateAtPosition, stateBefore } from './state-at.ts';
import { readState } from './state-section.ts';
import type { TimelineChunk } from './timeline.ts';

/** The events of a state section, and the members that a lazily loading client knows after it. */
export interface RoomState {
  readonly events: readonly StoredEvent[];
  readonly told: readonly UserId[];
}

/** The stretch of a room that an answer covers. */
export interface RoomSpan {
  /** The position up to which the client has the room; undefined: it has nothing. */
  readonly known: number | undefined;
  /** The room became whole since: what the client has of its state may never have been so. */
  readonly isCompleted: boolean;
  /** Where the timeline ends: the present, or where the user's stay ended. */
  readonly upTo: number;
  readonly chunk: TimelineChunk;
  /** The users by whom the client names the room. */
  readonly heroes: readonly UserId[];
}

const NONE: RoomState = { events: [], told: [] };

/**
 * What a room's state section holds: with the timeline, it brings the client to the state at the timeline's end. So it
 * also has the state changes that the timeline leaves out because of a filter or because they weren't visible.
 * Spec: client-server-api/#syncing, MSC4222
 */
export async function roomState(
  tx: ReadTx,
  rooms: SyncRooms,
  context: SyncContext,
  room: UserRoom,
  span: RoomSpan,
): Promise<RoomState> {
  const { query, members } = context;
  const { known, chunk } = span;
  const filter = query.filter.room.state;
  if (!matchesRoom(filter, room.roomId)) return NONE;
  const isFull = known === undefined || query.fullState || span.isCompleted;
  const needed = filter.lazyLoadMembers ? neededMembers(context, span, isFull) : NOBODY;
  const tellsAll =
    !chunk.limited && !chunk.hidesState && !(query.useStateAfter && chunk.events.some(({ event }) => event.isState));
  const isChanged = isFull || !tellsAll;
  if (!isChanged && members.knowsAll(room.roomId, needed) && !filter.includeRedundantMembers) return NONE;

  const points = await pointsOf(tx, rooms, context, room, span);
  if (points === undefined) return NONE;
  const events = await readState(tx, rooms, {
    roomId: room.roomId,
    filter,
    scope: isFull ? 'all' : isChanged ? 'changes' : 'members',
    known: known === undefined || !isChanged ? undefined : await stateAtPosition(tx, rooms, room.roomNid, known),
    wanted: points.wanted,
    end: chunk.hidesState && !query.useStateAfter ? points.end : undefined,
    timeline: chunk.events,
    needed,
    tellsKnown: filter.includeRedundantMembers || query.fullState || span.isCompleted,
    members,
  });
  return { events, told: [...needed] };
}

const NOBODY: ReadonlySet<UserId> = new Set();

/** Whose member events a lazily loading client can't do without. */
function neededMembers({ viewer }: SyncContext, { chunk, heroes }: RoomSpan, isFull: boolean): ReadonlySet<UserId> {
  const needed = new Set<UserId>(heroes);
  for (const { event } of chunk.events) needed.add(event.sender);
  if (isFull) needed.add(viewer.userId);
  return needed;
}

/** `wanted`: `state` leads up to the timeline, `state_after` to its end. */
async function pointsOf(
  tx: ReadTx,
  rooms: SyncRooms,
  { query }: SyncContext,
  room: UserRoom,
  { chunk, upTo }: RoomSpan,
): Promise<{ readonly wanted: StatePoint; readonly end: StatePoint | undefined } | undefined> {
  const first = chunk.events[0];
  const last = chunk.events.at(-1);
  const isAtStart = !query.useStateAfter && first !== undefined;
  if (isAtStart && !chunk.hidesState) return { wanted: stateBefore(first), end: undefined };
  const end =
    last !== undefined && (last.position === upTo || chunk.isWholeEnd)
      ? stateAfter(last)
      : await stateAtPosition(tx, rooms, room.roomNid, upTo);
  if (end === undefined) return undefined;
  return { wanted: isAtStart ? stateBefore(first) : end, end };
}
