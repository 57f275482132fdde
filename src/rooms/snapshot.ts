import type { EventId, RoomId, UserId } from '../protocol/ids/index.ts';
import type { RoomVersionRules } from '../protocol/room-versions/index.ts';
import type { Membership, RoomDigest } from './store/index.ts';

/** A state event by reference. */
export interface StateReference {
  readonly eventId: EventId;
  readonly nid: number;
}

/** The committed state of a hot room, for readers. `state` and `membershipOf` are live: they follow later commits. */
export interface RoomSnapshot {
  readonly roomId: RoomId;
  readonly roomNid: number;
  readonly rules: RoomVersionRules;
  /** Root of the current state in the state tree. */
  readonly stateRoot: number;
  readonly state: StateView;
  /** The current membership of a user; undefined where there never was one. */
  membershipOf(userId: UserId): Membership | undefined;
  /** All users who ever had a membership, with it. */
  members(): Iterable<readonly [userId: UserId, membership: Membership]>;
  readonly joinedCount: number;
  readonly invitedCount: number;
  readonly digest: RoomDigest;
  readonly extremities: readonly EventId[];
  /** Position of the room's latest event. */
  readonly lastPosition: number;
}

/** Current state by its names. */
export interface StateView {
  get(type: string, stateKey: string): StateReference | undefined;
  /** Every state event there is. */
  entries(): Iterable<readonly [type: string, stateKey: string, reference: StateReference]>;
}
