/** How an event that came stands to the room as it is. */
import { BadPduError, type Event, parsePdu } from '../../protocol/event/index.ts';
import { type EventId, serverNameOf } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import type { EventReader, StoredEvent } from '../store/index.ts';
import type { HotRoom } from '../write/hot-room.ts';

/** Refused predecessors that are looked through for the extremities that they follow. */
const REFUSED_STEPS_MAX = 20;

/** The events of PDUs, each once; those without the form of one are left out. */
export function parse(room: HotRoom, pdus: readonly JsonObject[]): readonly Event[] {
  const events = new Map<EventId, Event>();
  for (const pdu of pdus) {
    try {
      const event = parsePdu(pdu, room.rules);
      if (!events.has(event.eventId)) events.set(event.eventId, event);
    } catch (error) {
      if (!(error instanceof BadPduError)) throw error;
    }
  }
  return [...events.values()];
}

/** Whether the event follows every end of the room, and nothing else. */
export function followsAll(room: HotRoom, event: Event): boolean {
  const { prevEvents } = event;
  if (prevEvents.length !== room.extremities.length) return false;
  return room.extremities.every(({ eventId }) => prevEvents.includes(eventId));
}

/** Whether the event names the room's current state as its auth events, no more and no less than it may. */
export function isAuthorisedByCurrent(room: HotRoom, event: Event): boolean {
  const selected = room.authEntryIds(event);
  // Every selected one is sought: an event may name another one twice.
  return event.authEvents.length === selected.length && selected.every((id) => event.authEvents.includes(id));
}

/** Spec: "Handling redactions" of each room version: who redacts has the power to, or is of the sender's server. */
export function mayRedact(room: HotRoom, redaction: Event, target: StoredEvent): boolean {
  if (serverNameOf(redaction.sender) === serverNameOf(target.event.sender)) return true;
  const power = room.power();
  return power.users(redaction.sender) >= power.redact;
}

/** The predecessors of an event; refused ones stand for theirs. */
export async function followedBy(tx: ReadTx, reader: EventReader, event: Event): Promise<ReadonlySet<EventId>> {
  const followed = new Set(event.prevEvents);
  let refused = await reader.byIds(tx, event.prevEvents);
  for (let step = 0; step < REFUSED_STEPS_MAX && refused.length > 0; step++) {
    const next = refused.filter((stored) => stored.isRefused).flatMap((stored) => stored.event.prevEvents);
    const fresh = next.filter((id) => !followed.has(id));
    for (const id of fresh) followed.add(id);
    refused = fresh.length === 0 ? [] : await reader.byIds(tx, fresh);
  }
  return followed;
}
