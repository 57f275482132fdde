import { type Event, isPolicyExempt, POLICY_TYPE, type PolicyServer } from '../../protocol/event/index.ts';
import type { RoomId } from '../../protocol/ids/index.ts';
import { type HotRoom, StateNotLoaded } from '../write/hot-room.ts';
import type { HotRooms } from '../write/hot-rooms.ts';
import type { Arrival } from './arrival.ts';
import type { ReceiveDeps } from './deps.ts';
import { type Fetched, NeedsFetch } from './fetched.ts';

/**
 * What the room's policy server says of events that come. Those without its signature are asked about; what it doesn't
 * recommend is soft-failed. Spec: server-server-api/#validating-policy-server-signatures
 */
export class ArrivalReviews {
  readonly #deps: Pick<ReceiveDeps, 'database' | 'hotRooms' | 'policyServers' | 'reader'>;

  constructor(deps: Pick<ReceiveDeps, 'database' | 'hotRooms' | 'policyServers' | 'reader'>) {
    this.#deps = deps;
  }

  /** Asks about many events side by side, before the room takes them one by one. */
  async prefetch(roomId: RoomId, events: readonly Event[], fetched: Fetched): Promise<void> {
    const policy = await policyOf(this.#deps.hotRooms, roomId);
    if (policy === undefined) return;
    const { database, reader } = this.#deps;
    const ids = events.map((event) => event.eventId);
    const stored = await database.read((tx) => reader.byIds(tx, ids));
    const placed = new Set(stored.filter((one) => one.isPlaced).map((one) => one.event.eventId));
    const asked = events.filter((event) => !isPolicyExempt(event) && !placed.has(event.eventId));
    await Promise.all(asked.map((event) => this.#ask(policy, event, fetched)));
  }

  /**
   * The event with the policy server's signature, or that it is unwelcome; as it came where the room has no such server.
   * @throws NeedsFetch
   */
  async review(room: HotRoom, event: Event, arrival: Arrival, fetched: Fetched): Promise<readonly [Event, Arrival]> {
    // What is ours was signed before.
    if (arrival.own !== undefined || isPolicyExempt(event)) return [event, arrival];
    const isBare = room.entry(POLICY_TYPE, '') === undefined;
    const policy = isBare ? undefined : await policyOf(this.#deps.hotRooms, event.roomId);
    if (policy === undefined || (await this.#deps.policyServers.isSigned(policy, event))) return [event, arrival];
    const key = reviewKey(policy, event);
    if (!fetched.reviews.has(key)) throw new NeedsFetch(() => this.#ask(policy, event, fetched));
    const signed = fetched.reviews.get(key);
    return signed === undefined ? [event, { ...arrival, isUnwelcome: true }] : [signed, arrival];
  }

  async #ask(policy: PolicyServer, event: Event, fetched: Fetched): Promise<void> {
    fetched.reviews.set(reviewKey(policy, event), await this.#deps.policyServers.review(policy, event));
  }
}

/** The policy server that a room uses now. */
export async function policyOf(hotRooms: HotRooms, roomId: RoomId): Promise<PolicyServer | undefined> {
  const room = await hotRooms.find(roomId);
  if (room === undefined) return undefined;
  try {
    return room.policyServer();
  } catch (error) {
    if (!(error instanceof StateNotLoaded)) throw error;
    await hotRooms.decode(error.entries);
    return room.policyServer();
  }
}

function reviewKey({ via, publicKey }: PolicyServer, { eventId }: Event): string {
  return `${via}\0${publicKey}\0${eventId}`;
}
