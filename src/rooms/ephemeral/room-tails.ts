import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import type { OwnVerdict } from './unread-fold.ts';
import { type CountedRow, listCounted, listVerdictsOn } from './unread-rows.ts';

/** A recent event with what it does to those for whom it is something special. */
export interface TailEvent extends CountedRow {
  readonly verdicts: ReadonlyMap<UserId, OwnVerdict> | undefined;
}

interface Tail {
  /** It has all events after this position … */
  after: number;
  /** … up to this one. */
  upTo: number;
  readonly events: TailEvent[];
}

const ROOMS_MAX = 2_000;
const EVENTS_MAX = 200;

/**
 * The last events of rooms where something happens, as far as counting looks at them. They are read once for all the users of
 * a room who wait for news.
 */
export class RoomTails {
  readonly #tails = new LRUCache<number, Tail>(upTo(ROOMS_MAX));
  readonly #reading = new Map<number, Promise<void>>();

  /**
   * The events of a room after `after` up to `upTo`, oldest first; undefined where they are too many to be kept.
   * `tx` must see everything up to `upTo`.
   */
  async events(tx: ReadTx, roomNid: number, after: number, upTo: number): Promise<readonly TailEvent[] | undefined> {
    if (after >= upTo) return [];
    // All who wait for a room are woken at once: one of them reads for the others.
    const reading = this.#reading.get(roomNid);
    if (reading !== undefined) await reading;
    const read = this.#read(tx, roomNid, after, upTo);
    if (reading === undefined) {
      const settled = read.then(
        () => undefined,
        () => undefined,
      );
      this.#reading.set(roomNid, settled);
      void settled.then(() => this.#reading.delete(roomNid));
    }
    return read;
  }

  async #read(tx: ReadTx, roomNid: number, after: number, upTo: number): Promise<readonly TailEvent[] | undefined> {
    let tail = this.#tails.get(roomNid);
    if (tail === undefined || tail.after > after || tail.upTo < after) {
      tail = { after, upTo: after, events: [] };
      if (!(await this.#extend(tx, roomNid, tail, upTo))) return undefined;
      this.#tails.set(roomNid, tail);
    } else if (tail.upTo < upTo && !(await this.#extend(tx, roomNid, tail, upTo))) {
      this.#tails.delete(roomNid);
      return undefined;
    }
    return tail.events.filter(({ position }) => position > after && position <= upTo);
  }

  /** Reads what is missing up to a position. False where that is too much. */
  async #extend(tx: ReadTx, roomNid: number, tail: Tail, upTo: number): Promise<boolean> {
    const from = tail.upTo;
    const rows = await listCounted(tx, { roomNid, after: from, upTo, limit: EVENTS_MAX + 1 });
    if (rows.length > EVENTS_MAX) return false;
    const verdicts = await this.#verdicts(tx, rows);
    // Another reader may have extended it meanwhile.
    const last = tail.upTo;
    for (const row of rows) if (row.position > last) tail.events.push({ ...row, verdicts: verdicts.get(row.nid) });
    tail.upTo = Math.max(last, upTo);
    const excess = tail.events.length - EVENTS_MAX;
    if (excess > 0) {
      const dropped = tail.events.splice(0, excess);
      tail.after = dropped.at(-1)?.position ?? tail.after;
    }
    return true;
  }

  async #verdicts(tx: ReadTx, rows: readonly CountedRow[]): Promise<ReadonlyMap<number, Map<UserId, OwnVerdict>>> {
    const byEvent = new Map<number, Map<UserId, OwnVerdict>>();
    for (const row of await listVerdictsOn(
      tx,
      rows.map(({ nid }) => nid),
    )) {
      const users = byEvent.get(row.event_nid) ?? new Map<UserId, OwnVerdict>();
      byEvent.set(row.event_nid, users);
      users.set(row.user_id, { notify: row.notify === 1, highlight: row.highlight === 1 });
    }
    return byEvent;
  }
}
