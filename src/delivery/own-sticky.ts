import type { UserId } from '../protocol/ids/index.ts';
import { type EventReader, listSticky } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { OutgoingEvent } from './federation-destination.ts';
import type { OutgoingRow } from './federation-store.ts';

/** More than a room will ever have: an hour of them. */
const EVENTS_MAX = 100_000;

/** Our users' sticky events in the room of an event from before it, at the place in the queue before that event. MSC4354. */
export async function ownSticky(
  tx: ReadTx,
  events: EventReader,
  { room_nid: roomNid, position }: OutgoingRow,
  isOurs: (sender: UserId) => boolean,
  now: number,
): Promise<readonly OutgoingEvent[]> {
  if (position === null) return [];
  const before = position - 1;
  const places = await listSticky(tx, { roomNids: [roomNid], after: 0, upTo: before, now, limit: EVENTS_MAX });
  const nids = places.map((place) => place.event_nid);
  const found = places.length === 0 ? [] : await events.byNids(tx, nids);
  return found.flatMap(({ event }) => (isOurs(event.sender) ? [{ position: before, event }] : []));
}
