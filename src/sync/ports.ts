/** What sync asks of the rooms: satisfied by `rooms`, declared here so that the list of it can be read in one place. */
import type { DeviceId, EventId, RoomId, UserId } from '../protocol/ids/index.ts';
import type { RoomMembershipRow, RoomRange, RoomSight, StateKeyName, StoredEvent } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';

/** Who looks: the device decides whose transaction ids are shown. */
export interface Viewer {
  readonly userId: UserId;
  readonly deviceId: DeviceId | undefined;
}

/** Unread counts of a room, threads apart. */
export interface UnreadCounts {
  readonly notification: number;
  readonly highlight: number;
  /** By thread root. The room's own counts leave them out. */
  readonly threads: ReadonlyMap<EventId, { readonly notification: number; readonly highlight: number }>;
}

/** Who is in a room, for clients that load members lazily. */
export interface RoomSummary {
  readonly heroes: readonly UserId[];
  readonly joined: number;
  readonly invited: number;
}

export interface SyncRooms {
  listRoomsOfUser(tx: ReadTx, userId: UserId): Promise<readonly RoomMembershipRow[]>;
  /** Where the streams of events and receipts stand in each room. */
  lastPositions(
    tx: ReadTx,
    roomNids: readonly number[],
  ): Promise<ReadonlyMap<number, { readonly events: number; readonly receipts: number }>>;
  eventsInRoom(tx: ReadTx, roomNid: number, range: RoomRange): Promise<readonly StoredEvent[]>;
  eventsByNids(tx: ReadTx, nids: readonly number[]): Promise<readonly StoredEvent[]>;
  /** State key nid -> event nid. */
  stateEntries(tx: ReadTx, root: number): Promise<ReadonlyMap<number, number>>;
  /** The state keys in which two states differ, with the event in the second; undefined where it has none. */
  stateDiff(tx: ReadTx, before: number, after: number): Promise<ReadonlyMap<number, number | undefined>>;
  /** The event under a state key, as a nid. */
  stateEvent(tx: ReadTx, root: number, keyNid: number): Promise<number | undefined>;
  findStateKey(tx: ReadTx, type: string, stateKey: string): Promise<number | undefined>;
  stateKeyNames(tx: ReadTx, nids: readonly number[]): Promise<ReadonlyMap<number, StateKeyName>>;
  /** A user's sight of a room. `isJoined`: known to be in it now; otherwise it is looked up. */
  sight(tx: ReadTx, userId: UserId, roomNid: number, isJoined: boolean): Promise<RoomSight>;
  /** Client events of one room as JSON, one each, without `room_id`. */
  present(tx: ReadTx, events: readonly StoredEvent[], viewer: Viewer, sight: RoomSight): Promise<readonly string[]>;
  /** The stripped state that goes with an invite or a knock, as JSON, one each. */
  strippedState(tx: ReadTx, member: StoredEvent): Promise<readonly string[]>;
  unreadCounts(tx: ReadTx, userId: UserId, roomNids: readonly number[]): Promise<ReadonlyMap<number, UnreadCounts>>;
  summary(tx: ReadTx, roomNid: number, userId: UserId): Promise<RoomSummary>;
  /** The content of `m.receipt` by room, of receipts after `from` up to `to` that the user may see. */
  receipts(
    tx: ReadTx,
    userId: UserId,
    roomNids: readonly number[],
    from: number,
    to: number,
  ): Promise<ReadonlyMap<number, object>>;
  typingIn(roomId: RoomId): readonly UserId[];
}
