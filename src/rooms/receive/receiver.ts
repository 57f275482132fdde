import { forbidden } from '../../protocol/errors.ts';
import type { Event } from '../../protocol/event/index.ts';
import { type EventId, parseRoomId, type RoomId, type ServerName } from '../../protocol/ids/index.ts';
import { type JsonObject, readString } from '../../protocol/json/index.ts';
import type { Arrival, Outcomes } from './arrival.ts';
import { parse } from './arrival-checks.ts';
import { ArrivalReviews } from './arrival-reviews.ts';
import type { ReceiveDeps } from './deps.ts';
import { DroppedEventError } from './dropped-event-error.ts';
import { joinExtremities } from './dummy-events.ts';
import { type Fetched, NeedsFetch, nothingFetched } from './fetched.ts';
import type { OutOfBand } from './out-of-band.ts';
import { verifyAll } from './outliers.ts';
import { Placer } from './placer.ts';
import type { RoomQueues } from './room-queues.ts';
import { isServerAllowed } from './server-acl.ts';
import type { StickyArrivals } from './sticky-arrivals.ts';

/** For the events of one transaction in one room, other servers are asked so often. */
const FETCHES_MAX = 300;

/**
 * Takes events from other servers into rooms. One bad event spoils only itself. The checks of the specification, in its order:
 *
 * | check                                | where                                       | what becomes of an event that fails   |
 * | 1 it has the form of one             | `parse` (arrival-checks.ts), `parsePdu`     | dropped                               |
 * | 2 its signatures are valid           | `verifyAll` (outliers.ts)                   | dropped                               |
 * | 3 its hash is right                  | `verifyAll`, `redactOnHashMismatch`         | goes on, redacted                     |
 * | the room's ACL lets the server in    | `Receiver.#isAllowed`                       | dropped                               |
 * | 4 its auth events allow it           | `Placer.#judgeByAuthEvents`                 | kept, rejected; dropped without them  |
 * | 5 the state before it allows it      | `Placer.#judge`                             | kept, rejected                        |
 * | 6 the room's current state allows it | `Placer.#judge`                             | kept, soft-failed: no client sees it  |
 * | 7 its policy server recommends it    | `ArrivalReviews`                            | kept, soft-failed                     |
 *
 * An event that follows all ends of the room, by the auth events that the room has now, passes 4 to 6 at once: `Placer.#takeFast`.
 * Spec: server-server-api/#checks-performed-on-receipt-of-a-pdu
 */
export class Receiver {
  readonly #deps: ReceiveDeps;
  readonly #queues: RoomQueues;
  readonly #placer: Placer;
  readonly #reviews: ArrivalReviews;

  constructor(deps: ReceiveDeps, queues: RoomQueues, outOfBand: OutOfBand, sticky: StickyArrivals) {
    this.#deps = deps;
    this.#queues = queues;
    this.#placer = new Placer(deps, outOfBand, sticky);
    this.#reviews = new ArrivalReviews(deps);
  }

  /** Takes the events of a transaction; resolves when those that were taken are durable. Rooms go on side by side. */
  async receive(origin: ServerName, pdus: readonly JsonObject[]): Promise<Outcomes> {
    const outcomes = new Map<EventId, string | undefined>();
    const byRoom = new Map<RoomId, JsonObject[]>();
    for (const pdu of pdus) {
      const roomId = parseRoomId(readString(pdu, 'room_id') ?? '');
      if (roomId === undefined) continue;
      const ofRoom = byRoom.get(roomId) ?? [];
      ofRoom.push(pdu);
      byRoom.set(roomId, ofRoom);
    }
    await Promise.all([...byRoom].map(([roomId, ofRoom]) => this.#receiveInRoom(origin, roomId, ofRoom, outcomes)));
    return outcomes;
  }

  /**
   * Takes one event whose signatures were checked, such as a join that came to us or an invite that came back signed.
   * @throws DroppedEventError; the event may be kept as refused all the same: see `isAccepted`
   */
  receiveOne(event: Event, arrival: Arrival): Promise<void> {
    return this.#takeOne(event, arrival, (work) => this.#queues.run(event.roomId, work));
  }

  /** As `receiveOne`, for who has the room's queue already. */
  receiveInQueue(event: Event, arrival: Arrival): Promise<void> {
    return this.#takeOne(event, arrival, (work) => work());
  }

  /** Puts an event of ours into a room that has gone on since it was made. @throws MatrixError 403 */
  async putOwn(event: Event, own: Arrival['own']): Promise<void> {
    // All that comes before it is here: nobody makes the room wait.
    await this.receiveInQueue(event, { origin: this.#deps.serverName, relay: false, own });
    if (!(await this.isAccepted(event.eventId))) throw forbidden('The room changed: this is no longer allowed');
  }

  /** Whether an event has its place in its room and is seen there. */
  async isAccepted(eventId: EventId): Promise<boolean> {
    const [stored] = await this.#deps.database.read((tx) => this.#deps.reader.byIds(tx, [eventId]));
    return stored?.isPlaced === true && !stored.isRefused;
  }

  async #takeOne(
    event: Event,
    arrival: Arrival,
    inTurn: (work: () => Promise<NeedsFetch | undefined>) => Promise<NeedsFetch | undefined>,
  ): Promise<void> {
    const fetched = nothingFetched();
    let failure: unknown;
    await untilFetched(() =>
      inTurn(() =>
        this.#takeSome([event], arrival, fetched, (_event, error) => {
          failure = error;
        }).then(({ needs }) => needs),
      ),
    );
    if (failure !== undefined) throw failure;
  }

  async #receiveInRoom(
    origin: ServerName,
    roomId: RoomId,
    pdus: readonly JsonObject[],
    outcomes: Map<EventId, string | undefined>,
  ): Promise<void> {
    const room = await this.#deps.hotRooms.find(roomId);
    if (room === undefined) return;
    const events = parse(room, pdus);
    for (const event of events) outcomes.set(event.eventId, 'the signature is not valid');
    const fetched = nothingFetched();
    let rest = await verifyAll(this.#deps, events);
    for (const event of rest) outcomes.set(event.eventId, 'too much is missing before it');
    await this.#reviews.prefetch(roomId, rest, fetched);
    const settle = (event: Event, error: unknown) => {
      outcomes.set(event.eventId, error === undefined ? undefined : this.#reasonOf(error, event));
    };
    await untilFetched(() =>
      this.#queues.run(roomId, async () => {
        if (!(await this.#isAllowed(roomId, origin))) {
          for (const event of rest) settle(event, new DroppedEventError('the server is not allowed in this room'));
          return undefined;
        }
        const { needs, left } = await this.#takeSome(rest, { origin, relay: false }, fetched, settle);
        rest = left;
        return needs;
      }),
    );
    await joinExtremities(this.#deps, roomId).catch((error: unknown) => {
      this.#deps.log.warn({ err: error, roomId }, 'the branches of a room could not be brought together');
    });
  }

  /** Takes events in order, up to the first one for which something has to be fetched. The caller has the room's queue. */
  async #takeSome(
    events: readonly Event[],
    arrival: Arrival,
    fetched: Fetched,
    settle: (event: Event, error: unknown) => void,
  ): Promise<{ readonly needs: NeedsFetch | undefined; readonly left: readonly Event[] }> {
    const writes: Promise<void>[] = [];
    const known = await this.#placer.lookUp(events);
    let left: readonly Event[] = [];
    let needs: NeedsFetch | undefined;
    for (const [index, event] of events.entries()) {
      try {
        const { written } = await this.#placer.take(event, arrival, known, fetched);
        const settled = written.then(
          () => settle(event, undefined),
          (error: unknown) => settle(event, error),
        );
        writes.push(settled);
      } catch (error) {
        if (!(error instanceof NeedsFetch)) {
          settle(event, error);
          continue;
        }
        needs = error;
        left = events.slice(index);
        break;
      }
    }
    await Promise.all(writes);
    return { needs, left };
  }

  #isAllowed(roomId: RoomId, origin: ServerName): Promise<boolean> {
    return this.#deps.writer.read(roomId, (now) => {
      return isServerAllowed(now.stateEvent('m.room.server_acl', '')?.content, origin);
    });
  }

  #reasonOf(error: unknown, event: Event): string {
    if (error instanceof DroppedEventError) return error.message;
    this.#deps.log.warn({ err: error, roomId: event.roomId, eventId: event.eventId }, 'an event could not be received');
    return 'internal error';
  }
}

/** Does work and fetches what it asks for, turn by turn, until it asks for nothing more. */
async function untilFetched(work: () => Promise<NeedsFetch | undefined>): Promise<void> {
  for (let fetches = 0; fetches < FETCHES_MAX; fetches++) {
    const needs = await work();
    if (needs === undefined) return;
    await needs.fetch();
  }
}
