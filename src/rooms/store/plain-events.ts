import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import type { EventId } from '../../protocol/ids/index.ts';

/** The relation types whose events are bundled with what they relate to. Spec: client-server-api/#aggregations-of-child-events */
export const AGGREGATED_TYPES: ReadonlySet<string> = new Set(['m.replace', 'm.thread', 'm.reference']);

const PLAIN_MAX = 20_000;
/** How many events that got a child are remembered, so that a read on an older snapshot doesn't take them for plain ones. */
const PARENTS_MAX = 10_000;

/** Knows of events that nothing is to be aggregated with, which are most: they cost no query. */
export class PlainEvents {
  readonly #plain = new LRUCache<EventId, true>(upTo(PLAIN_MAX));
  readonly #parents = new LRUCache<EventId, true>(upTo(PARENTS_MAX));

  /** Whether the event is known to have no children that are aggregated. */
  has(eventId: EventId): boolean {
    return this.#plain.get(eventId) === true;
  }

  /** A reader found no such children of the event. */
  note(eventId: EventId): void {
    if (!this.#parents.has(eventId)) this.#plain.set(eventId, true);
  }

  /** The event has just got such a child. */
  noteChild(eventId: EventId): void {
    this.#parents.set(eventId, true);
    this.#plain.delete(eventId);
  }
}
