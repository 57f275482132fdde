import { asksForRelated, type RoomEventFilter } from '../../protocol/filter/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { listRelatedBy, type StoredEvent } from '../store/index.ts';

/** Those of the events that have the children that a filter asks for (MSC3440). */
export async function withRelated(
  tx: ReadTx,
  events: readonly StoredEvent[],
  filter: RoomEventFilter | undefined,
): Promise<readonly StoredEvent[]> {
  if (filter === undefined || events.length === 0 || !asksForRelated(filter)) return events;
  const { relatedBySenders, relatedByRelTypes } = filter;
  const eventIds = events.map(({ event }) => event.eventId);
  const related = await listRelatedBy(tx, eventIds, {
    ...(relatedBySenders && { senders: [...relatedBySenders] }),
    ...(relatedByRelTypes && { relTypes: [...relatedByRelTypes] }),
  });
  return events.filter(({ event }) => related.has(event.eventId));
}
