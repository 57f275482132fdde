import type { Event, Relation } from '../../protocol/event/index.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { WriteTx } from '../../storage/types.ts';
import type { Membership, StoredEvent, Unread } from '../store/index.ts';
import type { Extremity, MemberEntry, RoomFigures, StateEntry } from './hot-room.ts';
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
