/** A room on servers that a test writes: real events with real signatures, and what is told of them is up to the test. */
import { type Event, parsePdu } from '../../src/protocol/event/index.ts';
import { type EventId, parseEventId } from '../../src/protocol/ids/index.ts';
import { isJsonObject, type JsonObject, parseJson } from '../../src/protocol/json/index.ts';
import type { StateKey } from '../../src/protocol/state/index.ts';
import { RoomBuilder } from '../../src/testing/room-builder.ts';
import { type HostilePeer, need, pduOf, V1, V2 } from './hostile-peer.ts';

const e = encodeURIComponent;

/** Changes what is told. */
export interface Lies {
  /** The state in the answer to a join. */
  readonly joinState?: (state: readonly Event[]) => readonly Event[];
  readonly joinChain?: (chain: readonly Event[]) => readonly JsonObject[];
  /** The state before the join, as it is told afterwards. */
  readonly laterState?: (state: readonly Event[]) => readonly Event[];
  readonly laterChain?: (chain: readonly Event[]) => readonly Event[];
  /** Tells the ids of the state, and none of the events. */
  readonly idsOnly?: boolean;
}

/** A room of the first peer's, as its peers tell it: a join is answered without the members. */
export class ScriptedRoom {
  readonly builder: RoomBuilder;
  /** Until this is called nobody tells the whole state. */
  readonly tellAll: () => void;
  readonly #isTold: Promise<void>;
  readonly #peers: readonly HostilePeer[];
  #before: ReadonlyMap<StateKey, EventId> = new Map();
  #join: Event | undefined;

  constructor(name: string, peers: readonly HostilePeer[], version = '10') {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#isTold = promise;
    this.tellAll = resolve;
    this.#peers = peers;
    this.builder = RoomBuilder.createPublic({ version, creator: need(peers[0]).user('alice'), name });
    for (const peer of peers) this.answer(peer, {});
  }

  get roomId(): string {
    return this.builder.roomId;
  }

  /** The join that came. */
  get join(): Event {
    return need(this.#join);
  }

  /** Lets a peer answer for the room, with lies. */
  answer(peer: HostilePeer, lies: Lies): void {
    const { handlers } = peer;
    const room = e(this.roomId);
    const later = () => (lies.laterState ?? same)(this.#events(this.#before.values()));
    const laterChain = () => (lies.laterChain ?? same)(this.#chainOf(later()));
    handlers.set(`${V1}/make_join/${room}`, ({ url = '' }) => this.#template(url));
    handlers.set(`${V2}/send_join/${room}`, (_request, _response, body) => this.#takeJoin(body, lies));
    handlers.set(`${V1}/state_ids/${room}`, async () => {
      await this.#isTold;
      return { pdu_ids: later().map(idOf), auth_chain_ids: laterChain().map(idOf) };
    });
    if (lies.idsOnly === true) handlers.delete(`${V1}/state/${room}`);
    else handlers.set(`${V1}/state/${room}`, () => ({ pdus: later().map(pduOf), auth_chain: laterChain().map(pduOf) }));
    handlers.set(`${V1}/event_auth/${room}`, ({ url = '' }) => {
      const [event] = this.#events([idIn(url)]);
      return event === undefined ? undefined : { auth_chain: this.#chainOf([event]).map(pduOf) };
    });
    handlers.delete(`${V1}/event/`);
    if (lies.idsOnly === true) return;
    handlers.set(`${V1}/event/`, ({ url = '' }) => {
      const [event] = this.#events([idIn(url)]);
      return event === undefined ? undefined : { pdus: [pduOf(event)] };
    });
  }

  #template(url: string): JsonObject {
    const user = decodeURIComponent(url.split('?')[0]?.split('/').at(-1) ?? '');
    const draft = { type: 'm.room.member', sender: user, stateKey: user, content: { membership: 'join' } };
    const { signatures, hashes, ...event } = pduOf(this.builder.build(draft));
    return { room_version: this.builder.rules.id, event };
  }

  #takeJoin(body: string, { joinState = same, joinChain = pdusOf }: Lies): JsonObject {
    const pdu = parseJson(body);
    if (!isJsonObject(pdu)) throw new Error('a join is an object');
    const join = parsePdu(pdu, this.builder.rules);
    if (this.#join?.eventId !== join.eventId) {
      this.#before = new Map(this.builder.state);
      this.builder.append(join);
      this.#join = join;
    }
    const others = this.#events(this.#before.values()).filter(({ type }) => type !== 'm.room.member');
    return {
      event: pdu,
      state: joinState(others).map(pduOf),
      auth_chain: joinChain(this.#chainOf([join, ...others])),
      members_omitted: true,
      servers_in_room: this.#peers.map(({ name }) => name),
    };
  }

  #events(ids: Iterable<EventId>): readonly Event[] {
    return [...ids].flatMap((id) => this.builder.event(id) ?? []);
  }

  #chainOf(starts: readonly Event[]): readonly Event[] {
    const chain = new Map<EventId, Event>();
    const open = [...starts];
    for (let event = open.pop(); event !== undefined; event = open.pop()) {
      for (const auth of this.#events(event.authEvents)) {
        if (chain.has(auth.eventId)) continue;
        chain.set(auth.eventId, auth);
        open.push(auth);
      }
    }
    return [...chain.values()];
  }
}

function same(events: readonly Event[]): readonly Event[] {
  return events;
}

function idOf({ eventId }: Event): EventId {
  return eventId;
}

function pdusOf(events: readonly Event[]): readonly JsonObject[] {
  return events.map(pduOf);
}

/** The event's id at the end of a path. */
function idIn(url: string): EventId {
  return need(parseEventId(decodeURIComponent(url.split('/').at(-1) ?? '')));
}
