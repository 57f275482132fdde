import type { Event } from '../../protocol/event/index.ts';
import type { EventId } from '../../protocol/ids/index.ts';
import type { StateAt } from '../write/pending.ts';

/** What was asked of other servers for the events of one transaction, by the event that it is for. Each is asked once. */
export interface Fetched {
  /** The events of the gap before an event, oldest first. */
  readonly between: Map<EventId, readonly Event[]>;
  /** Events whose auth chains were asked for, and kept. */
  readonly authChains: Set<EventId>;
  /** The states after what we lack before an event, as they were claimed; undefined where nobody would tell. */
  readonly states: Map<EventId, readonly StateAt[] | undefined>;
  /** What policy servers answered, by `reviewKey`: the event with their signature, or undefined. */
  readonly reviews: Map<string, Event | undefined>;
}

/** Nothing was asked yet. */
export function nothingFetched(): Fetched {
  return { between: new Map(), authChains: new Set(), states: new Map(), reviews: new Map() };
}

/**
 * Something has to be fetched before an event can have its place. Thrown within a room's queue and answered outside of it:
 * while another server makes us wait, what others say in the room goes on.
 */
export class NeedsFetch extends Error {
  override readonly name = 'NeedsFetch';
  readonly fetch: () => Promise<void>;

  constructor(fetch: () => Promise<void>) {
    super('something has to be fetched from another server first');
    this.fetch = fetch;
  }
}
