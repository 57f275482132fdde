import type { Clock } from '../../clock.ts';
import { redactEvent } from '../../protocol/event/index.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/types.ts';
import { DELAYED_DEVICE, StoredEvent } from '../store/index.ts';
import { type Aggregation, aggregate } from './aggregations.ts';
import { isErasable } from './erasure.ts';
import type { ErasedUsers } from './reading.ts';
import type { StateReader } from './state-reader.ts';
import type { Viewer } from './viewer.ts';
import type { RoomSight } from './visibility.ts';

/** `full`: with `room_id`; `inRoom`: without, for answers that are keyed by room, as sync's. */
export type EventFormat = 'full' | 'inRoom';

export interface PresentOptions {
  readonly format?: EventFormat;
  /** The viewer's sight of the events' room; without it neither `membership` nor `prev_content` can be told. */
  readonly sight?: RoomSight;
  /**
   * Bundle with the events what relates to them, but for what these users sent. With `sight` only, and for the endpoints that
   * client-server-api/#aggregations-of-child-events names.
   */
  readonly aggregateBut?: ReadonlySet<UserId> | undefined;
}

/** What of `unsigned` is equal for all viewers and stays as it is. */
interface SharedUnsigned {
  /** `redacted_because` and `replaces_state`, to be put behind `age`. */
  readonly text: string;
  /** The state event that was replaced. Not the event itself, since it may yet be redacted. */
  readonly replacedNid: number | undefined;
}

const DELAYED_PREFIX = `${DELAYED_DEVICE}\0`;
const NOTHING_SHARED: SharedUnsigned = { text: '', replacedNid: undefined };
const NO_EVENTS: ReadonlyMap<number, StoredEvent> = new Map();
const NO_BUNDLES: ReadonlyMap<number, string> = new Map();

/**
 * The one place where events get the form in which clients see them: JSON text, mostly joined from pieces that are kept
 * with the event.
 * Spec: client-server-api/#room-event-format
 */
export class Presenter {
  readonly #states: StateReader;
  readonly #clock: Clock;
  readonly #erasedUsers: ErasedUsers | undefined;
  readonly #pruned = new WeakMap<StoredEvent, StoredEvent>();
  readonly #shared = new WeakMap<StoredEvent, SharedUnsigned>();
  readonly #prefixInRoom = new WeakMap<StoredEvent, string>();

  constructor({
    states,
    clock,
    erasedUsers,
  }: {
    states: StateReader;
    clock: Clock;
    erasedUsers?: ErasedUsers | undefined;
  }) {
    this.#states = states;
    this.#clock = clock;
    this.#erasedUsers = erasedUsers;
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
    const bundles = await this.#bundles(tx, events, viewer, options);
    const sticky = await this.#states.stickyUntil(tx, events);
    const now = this.#clock.now();
    const txnPrefix = viewer.deviceId === undefined ? undefined : `${viewer.deviceId}\0`;
    return events.map((whole, index) => {
      const stored = this.#isPrunedFor(whole, sight) ? this.#prune(whole) : whole;
      const { event, txn } = stored;
      const { text, replacedNid } = shared[index] ?? NOTHING_SHARED;
      let unsigned = `"age":${now - event.originServerTs}${text}`;
      if (sight !== undefined) {
        unsigned += `,"membership":"${sight.membershipAt(stored)}"`;
        const before = replacedNid === undefined ? undefined : replaced.get(replacedNid);
        const isTold = before !== undefined && sight.canSee(before) && !this.#isPrunedFor(before, sight);
        if (isTold) unsigned += `,"prev_content":${before.event.contentJson}`;
      }
      if (txn !== undefined && event.sender === viewer.userId) unsigned += originJson(txn, txnPrefix);
      const until = sticky.get(stored.nid);
      if (until !== undefined && until > now) unsigned += `,"msc4354_sticky_duration_ttl_ms":${until - now}`;
      const bundle = bundles.get(stored.nid);
      if (bundle !== undefined) unsigned += `,"m.relations":${bundle}`;
      const prefix = format === 'full' ? stored.clientPrefix : this.#prefixWithoutRoom(stored);
      return `${prefix},"unsigned":{${unsigned}}}`;
    });
  }

  /** Who wasn't in the room gets what an erased user left there in redacted form. Spec: client-server-api/#post_matrixclientv3accountdeactivate */
  #isPrunedFor(stored: StoredEvent, sight: RoomSight | undefined): boolean {
    const { event } = stored;
    if (this.#erasedUsers?.isErased(event.sender) !== true || !isErasable(event)) return false;
    return sight?.membershipAt(stored) !== 'join';
  }

  #prune(stored: StoredEvent): StoredEvent {
    const known = this.#pruned.get(stored);
    if (known !== undefined) return known;
    const pruned = new StoredEvent({ ...stored, event: redactEvent(stored.event) });
    this.#pruned.set(stored, pruned);
    return pruned;
  }

  /** The `m.relations` of those events that have any, by nid. */
  async #bundles(
    tx: ReadTx,
    events: readonly StoredEvent[],
    viewer: Viewer,
    { aggregateBut: ignored, ...options }: PresentOptions,
  ): Promise<ReadonlyMap<number, string>> {
    const { sight } = options;
    if (ignored === undefined || sight === undefined) return NO_BUNDLES;
    const found = await aggregate(tx, this.#states.events, events, { viewer: viewer.userId, ignored, sight });
    if (found.size === 0) return NO_BUNDLES;
    const parts = [...found.values()];
    const edits = await this.#presentEach(tx, parts, ({ edit }) => edit, viewer, options);
    // The latest event of a thread has its own edits with it, but can't be the first event of another thread.
    const latest = await this.#presentEach(tx, parts, ({ thread }) => thread?.latest, viewer, {
      ...options,
      aggregateBut: ignored,
    });
    const bundles = new Map<number, string>();
    for (const [nid, { edit, thread, references }] of found) {
      const fields: string[] = [];
      if (edit !== undefined) fields.push(`"m.replace":${edits.get(edit.nid)}`);
      if (thread !== undefined) {
        const figures = `"count":${thread.count},"current_user_participated":${thread.participated}`;
        fields.push(`"m.thread":{"latest_event":${latest.get(thread.latest.nid)},${figures}}`);
      }
      if (references !== undefined) {
        const chunk = references.map((eventId) => `{"event_id":${JSON.stringify(eventId)}}`);
        fields.push(`"m.reference":{"chunk":[${chunk.join(',')}]}`);
      }
      bundles.set(nid, `{${fields.join(',')}}`);
    }
    return bundles;
  }

  async #presentEach(
    tx: ReadTx,
    parts: readonly Aggregation[],
    pick: (part: Aggregation) => StoredEvent | undefined,
    viewer: Viewer,
    options: PresentOptions,
  ): Promise<ReadonlyMap<number, string>> {
    const events = parts.map(pick).filter((stored) => stored !== undefined);
    if (events.length === 0) return NO_BUNDLES;
    const json = await this.present(tx, events, viewer, options);
    return new Map(events.map((stored, index) => [stored.nid, json[index] ?? '']));
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

/** What of an event's origin its sender is told: the transaction id on the sending device, the delay id everywhere. */
function originJson(txn: string, devicePrefix: string | undefined): string {
  if (devicePrefix !== undefined && txn.startsWith(devicePrefix)) {
    return `,"transaction_id":${JSON.stringify(txn.slice(devicePrefix.length))}`;
  }
  if (!txn.startsWith(DELAYED_PREFIX)) return '';
  const delayId = JSON.stringify(txn.slice(DELAYED_PREFIX.length));
  return `,"delay_id":${delayId},"org.matrix.msc4140.delay_id":${delayId}`;
}
