/** Events without a place: members of auth chains and states. They are checked by themselves and kept in bulk. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { authStateOf, checkAuth, checkAuthEvents } from '../../protocol/auth/index.ts';
import { BadPduError, type Event, parsePdu, redactOnHashMismatch } from '../../protocol/event/index.ts';
import { createEventIdOf, type EventId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import { insertOutliers } from '../store/graph-rows.ts';
import type { ReceiveDeps, RoomFacts } from './deps.ts';

/** What became of events that were to be kept. */
export interface KeptEvents {
  /** All that are good to have, those that we had included. */
  readonly events: ReadonlyMap<EventId, Event>;
  /** Those of them that the auth rules refuse. */
  readonly rejected: ReadonlySet<EventId>;
}

/** How many events are parsed or checked before others get their turn. */
const TURN_EVENTS = 100;
const INSERT_EVENTS = 500;
const VERIFY_AT_ONCE = 64;

type OutlierDeps = Pick<ReceiveDeps, 'database' | 'reader' | 'federation'>;

/**
 * Checks events (format, signatures, hashes, auth rules by their auth events) and keeps them as outliers. Ones with a bad
 * format or signature, or without their auth events, are left out.
 */
export async function keepOutliers(
  deps: OutlierDeps,
  room: RoomFacts,
  pdus: readonly JsonObject[],
): Promise<KeptEvents> {
  const given = await parseAll(room, pdus);
  const known = await deps.database.read((tx) => deps.reader.byIds(tx, [...given.keys()]));
  const events = new Map<EventId, Event>();
  const rejected = new Set<EventId>();
  // In room versions 1 and 2 a server chooses the ids of its events: one that another room has stays that room's.
  const foreign = new Set<EventId>();
  for (const stored of known) {
    if (stored.roomNid !== room.roomNid) foreign.add(stored.event.eventId);
    if (stored.roomNid !== room.roomNid) continue;
    events.set(stored.event.eventId, stored.event);
    if (stored.isRejected) rejected.add(stored.event.eventId);
  }
  const fresh = await verifyAll(
    deps,
    [...given.values()].filter(({ eventId }) => !events.has(eventId) && !foreign.has(eventId)),
  );
  await loadAuthEvents(deps, room, fresh, events, rejected);
  const kept = await judgeAll(
    inOrder(fresh, (event) => [...event.authEvents, ...impliedCreate(event)]),
    events,
    rejected,
  );
  for (let start = 0; start < kept.length; start += INSERT_EVENTS) {
    const rows = kept
      .slice(start, start + INSERT_EVENTS)
      .map((event) => outlierRow(room, event, rejected.has(event.eventId)));
    await deps.database.write('main', (tx) => insertOutliers(tx, rows));
  }
  return { events, rejected };
}

/** The row of an event that has no place in its room. */
export function outlierRow(room: RoomFacts, event: Event, isRejected: boolean) {
  return {
    room_nid: room.roomNid,
    event_id: event.eventId,
    position: null,
    depth: Math.min(event.depth, Number.MAX_SAFE_INTEGER),
    type: event.type,
    state_key: event.stateKey ?? null,
    sender: event.sender,
    state_before: 0,
    rejected: isRejected ? 1 : 0,
    soft_failed: 0,
    redacted_by: null,
    unread: 0,
    thread_root: null,
    txn: null,
    json: event.json,
  } as const;
}

async function parseAll(room: RoomFacts, pdus: readonly JsonObject[]): Promise<ReadonlyMap<EventId, Event>> {
  const events = new Map<EventId, Event>();
  for (const [index, pdu] of pdus.entries()) {
    if (index % TURN_EVENTS === TURN_EVENTS - 1) await nextTurn();
    const event = tryParse(room, pdu);
    if (event !== undefined) events.set(event.eventId, event);
  }
  return events;
}

/** The event of a PDU in this room; undefined where it isn't one. */
export function tryParse(room: Pick<RoomFacts, 'rules' | 'roomId'>, pdu: JsonObject): Event | undefined {
  try {
    const event = parsePdu(pdu, room.rules);
    return event.roomId === room.roomId ? event : undefined;
  } catch (error) {
    if (error instanceof BadPduError) return undefined;
    throw error;
  }
}

/** Those with valid signatures; redacted where the hash of their content isn't right. */
export async function verifyAll(
  { federation }: Pick<OutlierDeps, 'federation'>,
  events: readonly Event[],
): Promise<readonly Event[]> {
  await federation.signatures.prefetchFor(events);
  const good: Event[] = [];
  for (let start = 0; start < events.length; start += VERIFY_AT_ONCE) {
    const part = events.slice(start, start + VERIFY_AT_ONCE);
    const valid = await Promise.all(part.map((event) => federation.signatures.areValid(event)));
    for (const [index, event] of part.entries()) if (valid[index] === true) good.push(redactOnHashMismatch(event));
  }
  return good;
}

/** Adds the auth events that we have already. */
async function loadAuthEvents(
  { database, reader }: OutlierDeps,
  room: RoomFacts,
  fresh: readonly Event[],
  events: Map<EventId, Event>,
  rejected: Set<EventId>,
): Promise<void> {
  const freshIds = new Set(fresh.map((event) => event.eventId));
  const wanted = new Set<EventId>();
  for (const event of fresh) {
    for (const id of [...event.authEvents, ...impliedCreate(event)]) {
      if (!freshIds.has(id) && !events.has(id)) wanted.add(id);
    }
  }
  for (const stored of await database.read((tx) => reader.byIds(tx, [...wanted]))) {
    if (stored.roomNid !== room.roomNid) continue;
    events.set(stored.event.eventId, stored.event);
    if (stored.isRejected) rejected.add(stored.event.eventId);
  }
}

/** Room version 12 implies the create event by the room's id. */
export function impliedCreate(event: Event): readonly EventId[] {
  if (!event.rules.createEventIsRoomId || event.isCreate) return [];
  const id = createEventIdOf(event.roomId);
  return id === undefined ? [] : [id];
}

/** Events so that those which `behind` names come before those that name them, as far as they are among them. */
export function inOrder(events: readonly Event[], behind: (event: Event) => readonly EventId[]): readonly Event[] {
  const byId = new Map(events.map((event) => [event.eventId, event]));
  const done = new Set<EventId>();
  const ordered: Event[] = [];
  for (const start of events) {
    const stack: { event: Event; ids: readonly EventId[]; next: number }[] = [];
    const enter = (event: Event) => {
      done.add(event.eventId);
      stack.push({ event, ids: behind(event), next: 0 });
    };
    if (!done.has(start.eventId)) enter(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const id = top.ids[top.next++];
      if (id === undefined) {
        ordered.push(top.event);
        stack.pop();
        continue;
      }
      const before = byId.get(id);
      if (before !== undefined && !done.has(id)) enter(before);
    }
  }
  return ordered;
}

/** Judges events by their auth events; returns those to keep, and adds them to what is known. */
async function judgeAll(
  ordered: readonly Event[],
  events: Map<EventId, Event>,
  rejected: Set<EventId>,
): Promise<readonly Event[]> {
  const kept: Event[] = [];
  for (const [index, event] of ordered.entries()) {
    if (index % TURN_EVENTS === TURN_EVENTS - 1) await nextTurn();
    const verdict = judgeByAuthEvents(event, events, rejected);
    if (verdict === undefined) continue;
    if (!verdict) rejected.add(event.eventId);
    events.set(event.eventId, event);
    kept.push(event);
  }
  return kept;
}

/**
 * Whether the auth events of an event allow it; undefined where one of them isn't known.
 * Spec: server-server-api/#checks-performed-on-receipt-of-a-pdu, check 4
 */
export function judgeByAuthEvents(
  event: Event,
  events: ReadonlyMap<EventId, Event>,
  rejected: ReadonlySet<EventId>,
): boolean | undefined {
  const authEvents: Event[] = [];
  for (const id of event.authEvents) {
    const auth = events.get(id);
    if (auth === undefined) return undefined;
    authEvents.push(auth);
  }
  const isRejected = (id: EventId) => rejected.has(id);
  if (!checkAuthEvents(event, authEvents, { isRejected }).allowed) return false;
  const implied = impliedCreate(event).map((id) => events.get(id));
  const state = [...authEvents];
  for (const create of implied) {
    if (create === undefined) return undefined;
    state.push(create);
  }
  return checkAuth(event, authStateOf(state)).allowed;
}
