import type { EventId, ServerName } from '../../protocol/ids/index.ts';
import type { StoredEvent } from '../store/index.ts';
import type { Placement } from '../write/pending.ts';
import type { Putting } from '../write/room-writer.ts';

/** What became of the events of a transaction: an error for those that were not taken. */
export type Outcomes = ReadonlyMap<EventId, string | undefined>;

/** How an event came. */
export interface Arrival {
  readonly origin: ServerName;
  /** It came through us alone (a join, a leave, a knock): the other servers of the room get it from us. */
  readonly relay: boolean;
  /** It was fetched for a gap: what is missing before it isn't fetched one by one any more. */
  readonly isFetched?: boolean;
  /** The room's policy server doesn't recommend it. */
  readonly isUnwelcome?: boolean;
  /** It is of one of our users, and this goes with it. */
  readonly own?: Pick<Putting, 'transaction' | 'also'> | undefined;
}

/** Of an event that simply follows the room as it is. */
export const NO_PLACEMENT: Placement = {
  refused: undefined,
  stateBefore: undefined,
  isInner: false,
  stateAfter: undefined,
  turned: undefined,
  extremitiesAfter: undefined,
  missing: [],
  redactsLater: undefined,
};

/** What was looked up for the events of one room at once. */
export interface Known {
  readonly events: Map<EventId, StoredEvent>;
  /** Events that are redacted by what we have already. */
  readonly redactions: ReadonlyMap<EventId, readonly number[]>;
  /** Those that are missing before events that we have. */
  readonly named: Set<EventId>;
  /** Those that got their place since. */
  readonly placed: Set<EventId>;
}
