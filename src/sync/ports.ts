/** What sync asks of the rooms: satisfied by `rooms`, declared here so that the list of it can be read in one place. */
import type { RoomEventFilter } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type {
  MemberPosition,
  RoomMembershipRow,
  RoomRange,
  RoomSight,
  RoomSummary,
  StateKeyName,
  StickyPlace,
  StoredEvent,
  UnreadRequest,
  UnreadRoom,
  Viewer,
} from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';

export interface SyncRooms {
  /** Whether members of the room are still missing (MSC3902). */
  isPartial(roomNid: number): boolean;
  /** The position at which a room became whole that was partial; 0 for all others. */
  completedAt(roomNid: number): number;
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
  /** Memberships in rooms as they are now, of those whose last member event is after a position. */
  membersMovedAfter(tx: ReadTx, roomNids: readonly number[], position: number): Promise<readonly MemberPosition[]>;
  /** Who is joined to any of some rooms. */
  joinedIn(tx: ReadTx, roomNids: readonly number[]): Promise<readonly UserId[]>;
  /** Which of some users are joined to which of some rooms. */
  joinedAmong(tx: ReadTx, roomNids: readonly number[], userIds: readonly UserId[]): Promise<readonly MemberPosition[]>;
  /** A user's sight of a room. `isJoined`: known to be in it now; otherwise it is looked up. */
  sight(tx: ReadTx, userId: UserId, roomNid: number, isJoined: boolean): Promise<RoomSight>;
  /** Client events of one room as JSON, one each, without `room_id`; with `aggregateBut` with what others than these sent about them. */
  present(
    tx: ReadTx,
    events: readonly StoredEvent[],
    viewer: Viewer,
    sight: RoomSight,
    aggregateBut?: ReadonlySet<UserId>,
  ): Promise<readonly string[]>;
  /** The stripped state that goes with an invite or a knock, as JSON, one each. */
  strippedState(tx: ReadTx, member: StoredEvent): Promise<readonly string[]>;
  unreadCounts(tx: ReadTx, request: UnreadRequest): Promise<ReadonlyMap<number, UnreadRoom>>;
  summaries(tx: ReadTx, roomNids: readonly number[], userId: UserId): Promise<ReadonlyMap<number, RoomSummary>>;
  /** The content of `m.receipt` by room, of receipts after `after` up to `upTo` that the user may see. */
  receipts(
    tx: ReadTx,
    userId: UserId,
    range: { readonly roomNids: readonly number[]; readonly after: number; readonly upTo: number },
  ): Promise<ReadonlyMap<number, object>>;
  /** Those of the events that have the children that a filter asks for (MSC3440). */
  withRelated(tx: ReadTx, events: readonly StoredEvent[], filter: RoomEventFilter): Promise<readonly StoredEvent[]>;
  /** The sticky events of rooms after a position up to another one that haven't expired, in their order. */
  sticky(
    tx: ReadTx,
    range: {
      readonly roomNids: readonly number[];
      readonly after: number;
      readonly upTo: number;
      readonly limit: number;
    },
  ): Promise<readonly StickyPlace[]>;
  /** Who types in a room, and since which position of the stream 'typing'; undefined where nobody has lately. */
  typingIn(roomId: RoomId): { readonly position: number; readonly userIds: readonly UserId[] } | undefined;
  /** The rooms where somebody types, or did a moment ago. */
  typingRooms(): Iterable<RoomId>;
}
