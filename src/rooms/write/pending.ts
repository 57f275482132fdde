import type { Event, Relation } from '../../protocol/event/index.ts';
import type { EventId, UserId } from '../../protocol/ids/index.ts';
import type { StateKey } from '../../protocol/state/index.ts';
import type { WriteTx } from '../../storage/types.ts';
import type { StateReference } from '../snapshot.ts';
import type { Membership, StoredEvent, Unread } from '../store/index.ts';
import type { Extremity, RoomFigures, StateEntry } from './hot-room.ts';
import type { MemberEntry } from './room-members.ts';
import type { UserNotification } from './unread.ts';

/** The transaction of a client: what makes a resend known. */
export interface ClientTransaction {
  readonly userId: UserId;
  /** '' for tokens without a device. */
  readonly deviceId: string;
  /** The endpoint and what it is called on. */
  readonly scope: string;
  readonly txnId: string;
}

/** A change of a membership that an event makes. */
export interface MemberChange {
  readonly userId: UserId;
  readonly membership: Membership;
  readonly displayName: string | null;
  readonly avatarUrl: string | null;
  readonly entry: MemberEntry;
}

/** A redaction that takes effect. */
export interface AppliedRedaction {
  readonly target: StoredEvent;
  readonly redacted: Event;
  /** The state entry of the redacted event, where it is current state. */
  readonly entry: StateEntry | undefined;
}

/** What is to be done with an event beyond the current state of the room. */
export interface Placement {
  /** Refused events are kept, but nobody sees them and the room doesn't go on from them. */
  readonly refused: 'rejected' | 'soft_failed' | undefined;
  /** The state before it, where that isn't the room's state as it is now. */
  readonly stateBefore: StateAt | undefined;
  /** What becomes of the room's current state, where that isn't the event's own entry. */
  readonly stateAfter: StateAt | undefined;
  /** What is different in that state from the one that the room had. */
  readonly turned: TurnedState | undefined;
  /** The extremities after it, where it doesn't simply follow those that there are. */
  readonly extremitiesAfter: readonly Extremity[] | undefined;
  /** Whether others follow it already, so that it is no extremity. */
  readonly isInner: boolean;
  /** Predecessors that we don't have. */
  readonly missing: readonly EventId[];
  /** A redaction of an event that we don't have yet. */
  readonly redactsLater: EventId | undefined;
}

/** What another branch of the graph brings into a room's current state, and takes out of it. */
export interface TurnedState {
  readonly entries: readonly TurnedEntry[];
  /** Keys under which nothing is any more. */
  readonly removed: readonly StateKey[];
  /** The users among them. */
  readonly forgottenMembers: readonly UserId[];
  /** Whether the event itself, if it is a state event, is current. */
  readonly keepsOwn: boolean;
}

/** A state event that became current by the resolution of a fork. */
export interface TurnedEntry {
  readonly entry: StateEntry & { readonly event: Event };
  readonly member: MemberChange | undefined;
}

/** A state as a root of the state tree and what is different from it, by state key; undefined: nothing is there. */
export interface StateAt {
  readonly root: number;
  readonly changes: ReadonlyMap<StateKey, StateReference | undefined>;
}

/** An event that passed and waits for its commit, with the room as it was before and after it. */
export interface PendingEvent extends Consequences {
  readonly event: Event;
  readonly transaction: ClientTransaction | undefined;
  readonly unread: Unread;
  readonly notifications: readonly UserNotification[];
  readonly extremity: Extremity;
  readonly extremitiesBefore: readonly Extremity[];
  readonly extremitiesAfter: readonly Extremity[];
  readonly figuresAfter: RoomFigures;
  /** Only of events that came from other servers and don't simply follow what is there. */
  readonly placement: Placement | undefined;
}

/** What an event changes beside the timeline. */
export interface Consequences {
  readonly entry: StateEntry | undefined;
  readonly member: MemberChange | undefined;
  readonly relation: Relation | undefined;
  readonly redaction: AppliedRedaction | undefined;
}

/** Further work in the transaction of an event: aliases, directory, other domains. It awaits nothing but `tx`. */
export type AlsoWrite = (tx: WriteTx, roomNid: number) => Promise<void>;

/** The events of one room that are written by one job. */
export interface Batch {
  readonly events: PendingEvent[];
  readonly also: AlsoWrite[];
  /** Settles with the commit. */
  written: Promise<void>;
}
