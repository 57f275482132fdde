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

const NONE: RoomState = { events: [], told: [] };

/**
 * What a room's state section holds. `known`: the position up to which the client has the room; undefined: it has nothing.
 * Spec: client-server-api/#syncing, MSC4222
 */
export async function roomState(
  tx: ReadTx,
  rooms: SyncRooms,
  context: SyncContext,
  room: UserRoom,
  chunk: TimelineChunk,
  known: number | undefined,
): Promise<RoomState> {
  const { query, viewer, members } = context;
  const filter = query.filter.room.state;
  if (!matchesRoom(filter, room.roomId)) return NONE;
  const isFull = known === undefined || query.fullState;
  const first = chunk.events[0];
  const last = chunk.events.at(-1);
  const needed = new Set<UserId>();
  if (filter.lazyLoadMembers) {
    for (const { event } of chunk.events) needed.add(event.sender);
    if (isFull) needed.add(viewer.userId);
    if (isFull) for (const hero of (await rooms.summary(tx, room.roomNid, viewer.userId)).heroes) needed.add(hero);
  }
  // Without a gap the timeline itself holds every change: only members that were never told can be missing.
  const isWhole = !isFull && !chunk.limited && !filter.lazyLoadMembers;
  if (isWhole && !(query.useStateAfter && chunk.events.some(({ event }) => event.isState))) return NONE;
  if (!isFull && first === undefined && !chunk.limited) return NONE;

  const wanted = await wantedState(tx, rooms, context, room, first, last);
  if (wanted === undefined) return NONE;
  const events = await readState(tx, rooms, {
    roomId: room.roomId,
    filter,
    known: isFull || known === undefined ? undefined : await stateAtPosition(tx, rooms, room.roomNid, known),
    wanted,
    needed,
    members,
  });
  return { events, told: filter.lazyLoadMembers ? [...needed] : [] };
}

/** `state` leads up to the timeline, `state_after` to its end. */
async function wantedState(
  tx: ReadTx,
  rooms: SyncRooms,
  { query, to }: SyncContext,
  room: UserRoom,
  first: StoredEvent | undefined,
  last: StoredEvent | undefined,
): Promise<StatePoint | undefined> {
  if (!query.useStateAfter && first !== undefined) return stateBefore(first);
  const upTo = room.membership === 'join' ? to.events : Math.min(room.position, to.events);
  if (last !== undefined && last.position === upTo) return stateAfter(last);
  return stateAtPosition(tx, rooms, room.roomNid, upTo);
}
