import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/types.ts';
import type { Membership, StoredEvent } from '../store/index.ts';
import type { Standing } from './access.ts';
import { type HistoryVisibility, historyVisibilityOf, maySee, membershipOf } from './history-visibility.ts';
import type { StateReader } from './state-reader.ts';

/** The state before an event, as far as it decides who sees the event. */
interface StateSight {
  readonly visibility: HistoryVisibility;
  readonly membership: Membership;
}

/**
 * One user's sight of one room: which events they may see, and what they were to the room at each. It looks at the state
 * before each event, but events between two changes of the state share one state root, so the cost follows the changes and
 * not the events. Load a batch with `load`, then ask without waiting.
 * Spec: client-server-api/#room-history-visibility
 */
export class RoomSight {
  /** The event that ended the user's last stay; undefined for who is in the room, and for who never was. */
  readonly departure: StoredEvent | undefined;
  readonly #states: StateReader;
  readonly #userId: UserId;
  readonly #joinedUpTo: number;
  readonly #byRoot = new Map<number, StateSight>();
  /** Sticky events: who is in the room sees them, whatever the history visibility is (MSC4354). */
  readonly #sticky = new Set<number>();
  readonly #isJoined: boolean;

  /** `standing`: what the user is to the room now. */
  constructor(states: StateReader, userId: UserId, standing: Standing) {
    this.departure = standing.kind === 'left' ? standing.departure : undefined;
    this.#states = states;
    this.#userId = userId;
    this.#joinedUpTo = joinedUpTo(standing);
    this.#isJoined = standing.kind === 'joined';
  }

  /** Up to which position the user sees what happens in the room, as far as their membership goes. */
  get horizon(): number {
    return Number.isFinite(this.#joinedUpTo) ? this.#joinedUpTo : Number.MAX_SAFE_INTEGER;
  }

  /** Reads what is needed to answer for these events. They must all be of the one room. */
  async load(tx: ReadTx, events: readonly StoredEvent[]): Promise<void> {
    if (this.#isJoined) for (const nid of (await this.#states.stickyUntil(tx, events)).keys()) this.#sticky.add(nid);
    const wanted = new Set<number>();
    for (const { stateBefore } of events) if (!this.#byRoot.has(stateBefore)) wanted.add(stateBefore);
    if (wanted.size === 0) return;
    const roots = [...wanted];
    const visibilities = await this.#states.historyVisibilities(tx, roots);
    const members = await this.#states.eventsInStates(tx, roots, 'm.room.member', this.#userId);
    for (const root of roots) {
      const visibility = visibilities.get(root) ?? 'shared';
      this.#byRoot.set(root, { visibility, membership: membershipOf(members.get(root)?.event.content) });
    }
  }

  /** Whether the user may see the event. It must have been loaded. */
  canSee(stored: StoredEvent): boolean {
    const { visibility, membership } = this.#before(stored);
    const joinedLater = stored.position <= this.#joinedUpTo;
    if (maySee({ visibility, membership, joinedLater }) || this.#sticky.has(stored.nid)) return true;
    const { event } = stored;
    if (event.type === 'm.room.history_visibility' && event.stateKey === '') {
      return maySee({ visibility: historyVisibilityOf(event.content), membership, joinedLater });
    }
    if (event.type === 'm.room.member' && event.stateKey === this.#userId) {
      return maySee({ visibility, membership: membershipOf(event.content), joinedLater });
    }
    return false;
  }

  /** The user's membership at the event, with the change that the event itself makes (MSC4115). It must have been loaded. */
  membershipAt(stored: StoredEvent): Membership {
    const { event } = stored;
    if (event.type === 'm.room.member' && event.stateKey === this.#userId) return membershipOf(event.content);
    return this.#before(stored).membership;
  }

  /** Those of the events that the user may see, in their order. */
  async visible(tx: ReadTx, events: readonly StoredEvent[]): Promise<readonly StoredEvent[]> {
    await this.load(tx, events);
    return events.filter((stored) => this.canSee(stored));
  }

  #before(stored: StoredEvent): StateSight {
    const sight = this.#byRoot.get(stored.stateBefore);
    if (sight === undefined) throw new Error('load the events before asking about them');
    return sight;
  }
}

/** Up to which position the user joined after an event was sent, or was in the room at it. */
function joinedUpTo(standing: Standing): number {
  if (standing.kind === 'joined') return Number.POSITIVE_INFINITY;
  return standing.kind === 'left' ? standing.departure.position : Number.NEGATIVE_INFINITY;
}
