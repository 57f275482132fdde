import { parseEventId } from '../protocol/ids/index.ts';
import type { EventReader, StoredEvent } from '../rooms/index.ts';
import { type Database, type ReadTx, TokenIndex, type WriteTx } from '../storage/index.ts';
import { type ConsumerDeps, ConsumerPace, runConsumer } from '../streams/index.ts';
import { replacedBy, SEARCHED_TYPES, type SearchKey, searchableOf } from './searchable.ts';
import {
  deleteAllDocuments,
  deleteDocument,
  documentsOf,
  findLastEdit,
  listEventsOfTypes,
  putDocument,
  SEARCH_INDEX,
} from './store.ts';
import { tokensOf } from './tokens.ts';

/** An event that changes the index, and the events whose entries are to be made anew. */
interface Change {
  readonly position: number;
  readonly nids: readonly number[];
}

const CONSUMER = 'search';
/** A batch is written in one turn of the main thread. */
const BATCH_ROWS_MAX = 15;
/** Events of this time are indexed in one commit. */
const GATHER_MS = 100;
/** A search waits no longer than this for the newest events. */
const CATCH_UP_MS_MAX = 1_000;

/** Keeps the search index up with the events: a consumer of their stream. */
export class SearchIndexer implements AsyncDisposable {
  readonly index = new TokenIndex(SEARCH_INDEX);
  readonly #deps: ConsumerDeps;
  readonly #database: Database;
  readonly #events: EventReader;
  readonly #pace = new ConsumerPace(GATHER_MS);
  #running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(deps: ConsumerDeps & { readonly events: EventReader }) {
    this.#deps = deps;
    this.#database = deps.database;
    this.#events = deps.events;
  }

  /** Begins to follow the events, from where it was. */
  start(): void {
    const controller = new AbortController();
    const ended = runConsumer<Change>(
      {
        name: CONSUMER,
        stream: 'events',
        startAt: 'beginning',
        read: (tx, from, to, limit) => this.#read(tx, from, to, limit),
        handle: async (changes) => (tx) => this.#write(tx, changes),
        batchRowsMax: BATCH_ROWS_MAX,
        pace: this.#pace,
        signal: controller.signal,
      },
      this.#deps,
    );
    this.#running = { controller, ended };
  }

  /** Resolves when all events that are there by now can be found; after a moment also where there are too many. */
  caughtUp(): Promise<void> {
    return this.#pace.waitFor(this.#deps.streams.current('events'), CATCH_UP_MS_MAX);
  }

  /** Makes the index anew from the events. Meanwhile searches find what is in it already. */
  async rebuild(): Promise<void> {
    await this.stop();
    await this.#database.write('main', async (tx) => {
      await this.index.clear(tx);
      await deleteAllDocuments(tx);
      await this.#deps.cursors.set(tx, CONSUMER, 0);
    });
    this.start();
  }

  async stop(): Promise<void> {
    this.#running?.controller.abort();
    await this.#running?.ended;
    this.#running = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #read(tx: ReadTx, from: number, to: number, limit: number): Promise<readonly Change[]> {
    const rows = await listEventsOfTypes(tx, { from, to, types: SEARCHED_TYPES, limit });
    const events = await this.#events.byNids(
      tx,
      rows.map((row) => row.nid),
    );
    const changes: Change[] = [];
    for (const stored of events) changes.push({ position: stored.position, nids: await this.#changedBy(tx, stored) });
    return changes;
  }

  async #changedBy(tx: ReadTx, stored: StoredEvent): Promise<readonly number[]> {
    const { event } = stored;
    if (event.type === 'm.room.redaction') {
      const [target] = event.redacts === undefined ? [] : await this.#events.byIds(tx, [event.redacts]);
      return target === undefined
        ? []
        : [target.nid, ...(await documentsOf(tx, target.nid)).map((one) => one.event_nid)];
    }
    const replaced = parseEventId(replacedBy(event.content) ?? '');
    if (replaced === undefined) return [stored.nid];
    const [original] = await this.#events.byIds(tx, [replaced]);
    return original !== undefined && isEditOf(stored, original) ? [original.nid] : [];
  }

  async #write(tx: WriteTx, changes: readonly Change[]): Promise<void> {
    const nids = [...new Set(changes.flatMap((change) => change.nids))];
    for (const stored of await this.#events.byNids(tx, nids)) await this.#renew(tx, stored);
  }

  /** Makes an event's entry as it must be now. */
  async #renew(tx: WriteTx, stored: StoredEvent): Promise<void> {
    const { event, position, nid } = stored;
    if (position === 0 || replacedBy(event.content) !== undefined) return;
    const editNid = await findLastEdit(tx, event.eventId, event.sender, event.type);
    const [edit] = editNid === undefined ? [] : await this.#events.byNids(tx, [editNid]);
    const searchable = stored.isRefused ? undefined : searchableOf(stored, edit);
    if (searchable === undefined) {
      await this.index.delete(tx, position);
      await deleteDocument(tx, position);
      return;
    }
    const tokens = tokensOf(searchable.text);
    const labels = [roomLabel(stored.roomNid), keyLabel(searchable.key)];
    await this.index.put(tx, position, { tokens, labels });
    const length = tokens.length;
    await putDocument(tx, { position, event_nid: nid, source_nid: edit?.nid ?? nid, room_nid: stored.roomNid, length });
  }
}

function isEditOf(edit: StoredEvent, original: StoredEvent): boolean {
  return edit.roomNid === original.roomNid && edit.event.sender === original.event.sender;
}

/** The label of everything in a room. */
export function roomLabel(roomNid: number): string {
  return `r${roomNid}`;
}

/** The label of everything of a sort. */
export function keyLabel(key: SearchKey): string {
  return `k${key.slice('content.'.length)}`;
}
