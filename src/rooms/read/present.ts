import type { Clock } from '../../clock.ts';
import type { ReadTx } from '../../storage/types.ts';
import type { StoredEvent } from '../store/index.ts';
import type { StateReader } from './state-reader.ts';
import type { Viewer } from './viewer.ts';
import type { RoomSight } from './visibility.ts';

/** `full`: with `room_id`; `inRoom`: without, for answers that are keyed by room, as sync's. */
export type EventFormat = 'full' | 'inRoom';

export interface PresentOptions {
  readonly format?: EventFormat;
  /** The viewer's sight of the events' room; without it neither `membership` nor `prev_content` can be told. */
  readonly sight?: RoomSight;
}

/** What of `unsigned` is equal for all viewers and stays as it is. */
interface SharedUnsigned {
  /** `redacted_because` and `replaces_state`, to be put behind `age`. */
  readonly text: string;
  /** The state event that was replaced. Not the event itself, since it may yet be redacted. */
  readonly replacedNid: number | undefined;
}

const NOTHING_SHARED: SharedUnsigned = { text: '', replacedNid: undefined };
const NO_EVENTS: ReadonlyMap<number, StoredEvent> = new Map();

/**
 * The one place where events get the form in which clients see them: JSON text, mostly joined from pieces that are kept
 * with the event.
 * Spec: client-server-api/#room-event-format
 */
export class Presenter {
  readonly #states: StateReader;
  readonly #clock: Clock;
  readonly #shared = new WeakMap<StoredEvent, SharedUnsigned>();
  readonly #prefixInRoom = new WeakMap<StoredEvent, string>();

  constructor({ states, clock }: { states: StateReader; clock: Clock }) {
    this.#states = states;
    this.#clock = clock;
  }

  /** The events' JSON for a viewer, in their order. They may be of one room only where `sight` is given. */
  async present(
    tx: ReadTx,
    events: readonly StoredEvent[],
    viewer: Viewer,
    options: PresentOptions = {},
  ): Promise<string[]> {
    const { sight, format = 'full' } = options;
    const shared: SharedUnsigned[] = [];
    for (const stored of events) shared.push(this.#shared.get(stored) ?? (await this.#loadShared(tx, stored)));
    const replaced = sight === undefined ? NO_EVENTS : await this.#replacedEvents(tx, shared);
    await sight?.load(tx, replaced.size === 0 ? events : [...events, ...replaced.values()]);
    const now = this.#clock.now();
    const txnPrefix = viewer.deviceId === undefined ? undefined : `${viewer.deviceId}\0`;
    return events.map((stored, index) => {
      const { event, txn } = stored;
      const { text, replacedNid } = shared[index] ?? NOTHING_SHARED;
      let unsigned = `"age":${now - event.originServerTs}${text}`;
      if (sight !== undefined) {
        unsigned += `,"membership":"${sight.membershipAt(stored)}"`;
        const before = replacedNid === undefined ? undefined : replaced.get(replacedNid);
        if (before !== undefined && sight.canSee(before)) unsigned += `,"prev_content":${before.event.contentJson}`;
      }
      if (txn !== undefined && txnPrefix !== undefined && event.sender === viewer.userId && txn.startsWith(txnPrefix)) {
        unsigned += `,"transaction_id":${JSON.stringify(txn.slice(txnPrefix.length))}`;
      }
      const prefix = format === 'full' ? stored.clientPrefix : this.#prefixWithoutRoom(stored);
      return `${prefix},"unsigned":{${unsigned}}}`;
    });
  }

  async #loadShared(tx: ReadTx, stored: StoredEvent): Promise<SharedUnsigned> {
    const { event, redactedBy } = stored;
    if (redactedBy === undefined && !event.isState) return NOTHING_SHARED;
    let text = '';
    if (redactedBy !== undefined) {
      const [redaction] = await this.#states.events.byIds(tx, [redactedBy]);
      if (redaction !== undefined) text += `,"redacted_because":${redaction.clientPrefix}}`;
    }
    const replaced = await this.#states.replacedBy(tx, stored);
    if (replaced !== undefined) text += `,"replaces_state":${JSON.stringify(replaced.event.eventId)}`;
    const shared = { text, replacedNid: replaced?.nid };
    this.#shared.set(stored, shared);
    return shared;
  }

  async #replacedEvents(tx: ReadTx, shared: readonly SharedUnsigned[]): Promise<ReadonlyMap<number, StoredEvent>> {
    const nids: number[] = [];
    for (const { replacedNid } of shared) if (replacedNid !== undefined) nids.push(replacedNid);
    if (nids.length === 0) return NO_EVENTS;
    const events = await this.#states.events.byNids(tx, nids);
    return new Map(events.map((stored) => [stored.nid, stored]));
  }

  /** The client's form without `room_id`: the last one in the text, since the content stands before it. */
  #prefixWithoutRoom(stored: StoredEvent): string {
    const kept = this.#prefixInRoom.get(stored);
    if (kept !== undefined) return kept;
    const { clientPrefix } = stored;
    const field = `,"room_id":${JSON.stringify(stored.event.roomId)}`;
    const start = clientPrefix.lastIndexOf(field);
    const prefix = start < 0 ? clientPrefix : clientPrefix.slice(0, start) + clientPrefix.slice(start + field.length);
    this.#prefixInRoom.set(stored, prefix);
    return prefix;
  }
}
