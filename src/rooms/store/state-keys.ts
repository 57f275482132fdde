import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import type { ReadTx, WriteTx } from '../../storage/types.ts';

/** What a state event stands under. */
export interface StateKeyName {
  readonly type: string;
  readonly stateKey: string;
}

const CACHE_MAX = 50_000;

/** The interned state keys: (type, state key) as an integer, for the state tree. One for the whole process. */
export class StateKeys {
  readonly #nids = new LRUCache<string, number>(upTo(CACHE_MAX));
  readonly #names = new LRUCache<number, StateKeyName>(upTo(CACHE_MAX));

  /** The nid of a state key, or undefined where no event was ever stored under it. */
  async find(tx: ReadTx, type: string, stateKey: string): Promise<number | undefined> {
    const cached = this.#nids.get(`${type}\0${stateKey}`);
    if (cached !== undefined) return cached;
    const row = await tx.find(nidByName, { type, stateKey });
    if (row !== undefined) this.#keep(row.nid, { type, stateKey });
    return row?.nid;
  }

  /** The nid of a state key, given to it now where it had none. */
  async intern(tx: WriteTx, type: string, stateKey: string): Promise<number> {
    const cached = this.#nids.get(`${type}\0${stateKey}`);
    if (cached !== undefined) return cached;
    const row = (await tx.find(nidByName, { type, stateKey })) ?? (await tx.find(insertName, { type, stateKey }));
    if (row === undefined) throw new Error('an insert returns its row');
    // Not before: the row may be that of a job whose commit fails.
    tx.onCommit(() => this.#keep(row.nid, { type, stateKey }));
    return row.nid;
  }

  /** The names of state keys by their nids; each must exist. */
  async names(tx: ReadTx, nids: readonly number[]): Promise<ReadonlyMap<number, StateKeyName>> {
    const names = new Map<number, StateKeyName>();
    const missing: number[] = [];
    for (const nid of nids) {
      const cached = this.#names.get(nid);
      if (cached === undefined) missing.push(nid);
      else names.set(nid, cached);
    }
    if (missing.length > 0) {
      for (const row of await tx.run(namesByNids, { nids: missing })) {
        const name = { type: row.type, stateKey: row.state_key };
        names.set(row.nid, name);
        this.#keep(row.nid, name);
      }
    }
    return names;
  }

  #keep(nid: number, name: StateKeyName): void {
    this.#nids.set(`${name.type}\0${name.stateKey}`, nid);
    this.#names.set(nid, name);
  }
}

const nidByName = compiledOnce<{ type: string; stateKey: string }>()((db, p) =>
  db.selectFrom('state_keys').select('nid').where('type', '=', p('type')).where('state_key', '=', p('stateKey')),
);

const insertName = compiledOnce<{ type: string; stateKey: string }>()((db, p) =>
  db
    .insertInto('state_keys')
    .values({ type: p('type'), state_key: p('stateKey') })
    .returning('nid'),
);

const namesByNids = compiledOnce<{ nids: readonly number[] }>()((db, p) =>
  db.selectFrom('state_keys').select(['nid', 'type', 'state_key']).where('nid', 'in', p.numbers('nids')),
);
