import { LRUCache } from 'lru-cache';
import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/types.ts';
import type { EventReader, StateKeys, StoredEvent } from '../store/index.ts';
import type { StateTree } from '../store/state-tree.ts';
import { type HistoryVisibility, historyVisibilityOf } from './history-visibility.ts';

const VISIBILITIES_MAX = 20_000;

/** Reads states by their roots in the state tree: one event, all events, and the history visibility. */
export class StateReader {
  readonly events: EventReader;
  readonly #tree: StateTree;
  readonly #keys: StateKeys;
  readonly #visibilities = new LRUCache<number, HistoryVisibility>({ max: VISIBILITIES_MAX });

  constructor({ events, tree, keys }: { events: EventReader; tree: StateTree; keys: StateKeys }) {
    this.events = events;
    this.#tree = tree;
    this.#keys = keys;
  }

  /** The nid of a state key for `eventNid`, or undefined where no event ever stood under it. */
  async keyNid(tx: ReadTx, type: string, stateKey: string): Promise<number | undefined> {
    return this.#keys.find(tx, type, stateKey);
  }

  /** The nid of the event under a key in a state. */
  async eventNid(tx: ReadTx, root: number, keyNid: number): Promise<number | undefined> {
    return this.#tree.get(tx, root, keyNid);
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

  /** All events of a state, in no order. */
  async allEvents(tx: ReadTx, root: number): Promise<readonly StoredEvent[]> {
    const nids: number[] = [];
    for (const [, eventNid] of await this.#tree.entries(tx, root)) nids.push(eventNid);
    return this.events.byNids(tx, nids);
  }

  /** The event that a state event replaced: the one under its key in the state before it. */
  async replacedBy(tx: ReadTx, stored: StoredEvent): Promise<StoredEvent | undefined> {
    const { stateKey, type } = stored.event;
    return stateKey === undefined ? undefined : this.event(tx, stored.stateBefore, type, stateKey);
  }

  /** The history visibility of a state. A root names the same state for ever, so it is remembered. */
  async historyVisibility(tx: ReadTx, root: number): Promise<HistoryVisibility> {
    const known = this.#visibilities.get(root);
    if (known !== undefined) return known;
    const event = await this.event(tx, root, 'm.room.history_visibility', '');
    const visibility = historyVisibilityOf(event?.event.content);
    this.#visibilities.set(root, visibility);
    return visibility;
  }

  /** The user's member event in a state, or undefined. */
  async memberEvent(tx: ReadTx, root: number, userId: UserId): Promise<StoredEvent | undefined> {
    return this.event(tx, root, 'm.room.member', userId);
  }
}
