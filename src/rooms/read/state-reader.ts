import { LRUCache } from 'lru-cache';
import type { Clock } from '../../clock.ts';
import { upTo } from '../../lru.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/types.ts';
import { type EventReader, listStickyUntil, type StateKeys, type StoredEvent } from '../store/index.ts';
import type { StateTree } from '../store/state-tree.ts';
import { type HistoryVisibility, historyVisibilityOf } from './history-visibility.ts';

const VISIBILITIES_MAX = 20_000;
const NOT_STICKY: ReadonlyMap<number, number> = new Map();

/** What states are read from. */
export interface StateReaderDeps {
  readonly clock: Clock;
  readonly events: EventReader;
  readonly tree: StateTree;
  readonly keys: StateKeys;
}

/** Reads states by their roots in the state tree: one event, all events, and the history visibility. */
export class StateReader {
  readonly events: EventReader;
  readonly #clock: Clock;
  readonly #tree: StateTree;
  readonly #keys: StateKeys;
  readonly #visibilities = new LRUCache<number, HistoryVisibility>(upTo(VISIBILITIES_MAX));

  constructor({ clock, events, tree, keys }: StateReaderDeps) {
    this.#clock = clock;
    this.events = events;
    this.#tree = tree;
    this.#keys = keys;
  }

  /** The event under (type, state key) in a state, or undefined. */
  async event(tx: ReadTx, root: number, type: string, stateKey: string): Promise<StoredEvent | undefined> {
    const keyNid = await this.#keys.find(tx, type, stateKey);
    if (keyNid === undefined) return undefined;
    const nid = await this.#tree.get(tx, root, keyNid);
    if (nid === undefined) return undefined;
    const [event] = await this.events.byNids(tx, [nid]);
    return event;
  }

  /** Until when those of the events are sticky that are now, by nid (MSC4354). Asks only where one may be. */
  async stickyUntil(tx: ReadTx, events: readonly StoredEvent[]): Promise<ReadonlyMap<number, number>> {
    const nids: number[] = [];
    for (const { nid, event } of events) if (event.stickyDurationMs !== undefined) nids.push(nid);
    return nids.length === 0 ? NOT_STICKY : listStickyUntil(tx, nids, this.#clock.now());
  }

  /** All events of a state, in no order. */
  async allEvents(tx: ReadTx, root: number): Promise<readonly StoredEvent[]> {
    const nids: number[] = [];
    for (const [, eventNid] of await this.#tree.entries(tx, root)) nids.push(eventNid);
    return this.events.byNids(tx, nids);
  }

  /** The events of one type in a state, in no order. */
  async eventsOfType(tx: ReadTx, root: number, type: string): Promise<readonly StoredEvent[]> {
    const entries = await this.#tree.entries(tx, root);
    const names = await this.#keys.names(tx, [...entries.keys()]);
    const nids: number[] = [];
    for (const [keyNid, eventNid] of entries) if (names.get(keyNid)?.type === type) nids.push(eventNid);
    return this.events.byNids(tx, nids);
  }

  /** The event that a state event replaced: the one under its key in the state before it. */
  async replacedBy(tx: ReadTx, stored: StoredEvent): Promise<StoredEvent | undefined> {
    const { stateKey, type } = stored.event;
    return stateKey === undefined ? undefined : this.event(tx, stored.stateBefore, type, stateKey);
  }

  /** The history visibilities of states by their roots. A root names the same state for ever, so they are remembered. */
  async historyVisibilities(tx: ReadTx, roots: Iterable<number>): Promise<ReadonlyMap<number, HistoryVisibility>> {
    const visibilities = new Map<number, HistoryVisibility>();
    const missing: number[] = [];
    for (const root of roots) {
      const known = this.#visibilities.get(root);
      if (known === undefined) missing.push(root);
      else visibilities.set(root, known);
    }
    if (missing.length === 0) return visibilities;
    const events = await this.eventsInStates(tx, missing, 'm.room.history_visibility', '');
    for (const root of missing) {
      const visibility = historyVisibilityOf(events.get(root)?.event.content);
      visibilities.set(root, visibility);
      this.#visibilities.set(root, visibility);
    }
    return visibilities;
  }

  /** The events under one (type, state key) in many states, by their roots; states without one are left out. */
  async eventsInStates(
    tx: ReadTx,
    roots: readonly number[],
    type: string,
    stateKey: string,
  ): Promise<ReadonlyMap<number, StoredEvent>> {
    const found = new Map<number, StoredEvent>();
    const keyNid = await this.#keys.find(tx, type, stateKey);
    if (keyNid === undefined) return found;
    const nids = await this.#tree.getInMany(tx, roots, keyNid);
    const byNid = new Map<number, StoredEvent>();
    for (const stored of await this.events.byNids(tx, [...new Set(nids.values())])) byNid.set(stored.nid, stored);
    for (const [root, nid] of nids) {
      const stored = byNid.get(nid);
      if (stored !== undefined) found.set(root, stored);
    }
    return found;
  }

  /** The user's member event in a state, or undefined. */
  async memberEvent(tx: ReadTx, root: number, userId: UserId): Promise<StoredEvent | undefined> {
    return this.event(tx, root, 'm.room.member', userId);
  }
}
