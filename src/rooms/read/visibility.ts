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
  readonly #states: StateReader;
  readonly #userId: UserId;
  readonly #joinedUpTo: number;
  readonly #byRoot = new Map<number, StateSight>();
  #memberKeyNid: number | undefined;
  #isMemberKeyKnown = false;

  /** `standing`: what the user is to the room now. */
  constructor(states: StateReader, userId: UserId, standing: Standing) {
    this.#states = states;
    this.#userId = userId;
    this.#joinedUpTo = joinedUpTo(standing);
  }

  /** Reads what is needed to answer for these events. They must all be of the one room. */
  async load(tx: ReadTx, events: readonly StoredEvent[]): Promise<void> {
    const wanted = new Set<number>();
    for (const { stateBefore } of events) if (!this.#byRoot.has(stateBefore)) wanted.add(stateBefore);
    if (wanted.size === 0) return;
    if (!this.#isMemberKeyKnown) {
      this.#memberKeyNid = await this.#states.keyNid(tx, 'm.room.member', this.#userId);
      this.#isMemberKeyKnown = true;
    }
    const memberNids = new Map<number, number | undefined>();
    for (const root of wanted) {
      const nid =
        this.#memberKeyNid === undefined ? undefined : await this.#states.eventNid(tx, root, this.#memberKeyNid);
      memberNids.set(root, nid);
    }
    const memberships = await this.#memberships(tx, [...memberNids.values()]);
    for (const [root, nid] of memberNids) {
      const visibility = await this.#states.historyVisibility(tx, root);
      this.#byRoot.set(root, {
        visibility,
        membership: (nid === undefined ? undefined : memberships.get(nid)) ?? 'leave',
      });
    }
  }

  /** Whether the user may see the event. It must have been loaded. */
  canSee(stored: StoredEvent): boolean {
    const { visibility, membership } = this.#before(stored);
    const joinedLater = stored.position <= this.#joinedUpTo;
    if (maySee({ visibility, membership, joinedLater })) return true;
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

  async #memberships(tx: ReadTx, nids: readonly (number | undefined)[]): Promise<ReadonlyMap<number, Membership>> {
    const distinct = new Set<number>();
    for (const nid of nids) if (nid !== undefined) distinct.add(nid);
    const events = await this.#states.events.byNids(tx, [...distinct]);
    return new Map(events.map((stored) => [stored.nid, membershipOf(stored.event.content)]));
  }
}

/** Up to which position the user joined after an event was sent, or was in the room at it. */
function joinedUpTo(standing: Standing): number {
  if (standing.kind === 'joined') return Number.POSITIVE_INFINITY;
  return standing.kind === 'left' ? standing.departure.position : Number.NEGATIVE_INFINITY;
}
