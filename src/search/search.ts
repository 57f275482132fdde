import { setImmediate as nextTurn } from 'node:timers/promises';
import { invalidParam } from '../protocol/errors.ts';
import { acceptsEverything, matchesRoomEvent, type RoomEventFilter } from '../protocol/filter/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { type Reading, RoomSight, type StoredEvent, standingOf, type Viewer } from '../rooms/index.ts';
import type { ReadTx, TokenQuery } from '../storage/index.ts';
import { keyLabel, roomLabel, type SearchIndexer } from './indexer.ts';
import { rankOf } from './rank.ts';
import { SEARCH_KEYS, type SearchKey } from './searchable.ts';
import { type SearchedRooms, searchedRooms } from './searched-rooms.ts';
import { documentsAt, type SearchDocument } from './store.ts';
import { phrasesOf, type SearchPhrase } from './tokens.ts';

/** What somebody looks for in rooms. */
export interface SearchRequest {
  readonly viewer: Viewer;
  readonly term: string;
  /** Without any: everywhere. */
  readonly keys: readonly SearchKey[];
  readonly filter: RoomEventFilter;
  readonly order: 'recent' | 'rank';
  readonly limit: number;
  /** Where the page before this one ended. */
  readonly from: string | undefined;
}

/** An event that was found. */
export interface SearchHit {
  readonly stored: StoredEvent;
  /** The event that has the text: the last edit, or the event itself. */
  readonly rank: number;
  readonly sight: RoomSight;
}

/** A page of what was found. */
export interface SearchPage {
  readonly hits: readonly SearchHit[];
  /** How many events match that the viewer may see: an estimate. */
  readonly count: number;
  /** The stretches of text that were looked for. */
  readonly highlights: readonly string[];
  /** For the next page; undefined where there is nothing more. */
  readonly next: string | undefined;
}

/** What came of going through matches, newest first. */
interface Scanned {
  readonly found: readonly SearchHit[];
  /** How many matches were looked at. */
  readonly looked: number;
  /** The position up to which there may be more; undefined where everything was looked at. */
  readonly end: number | undefined;
}

/** A page, and what its estimate of all goes by. */
interface Stretch extends Pick<SearchPage, 'hits' | 'next'>, Pick<Scanned, 'looked'> {
  readonly found: number;
}

/** Rooms are part of the index's query up to this many; beyond that what it finds is sorted out afterwards. */
const ROOMS_IN_QUERY_MAX = 64;
/** Few at first: most searches see what they find. */
const BATCH_MAX = 400;
/** Of one request no more matches than this are looked at. */
const SCANNED_MAX = 5_000;
/** The best of so many of the newest matches come first. */
const RANKED_MAX = 200;
const COUNT_MAX = 10_000;
/** So many are read and looked at without a pause. */
const PORTION = 20;
const PHRASES_MAX = 20;
const NOTHING: SearchPage = { hits: [], count: 0, highlights: [], next: undefined };

/** Searches the messages, names and topics of a user's rooms. Spec: client-server-api/#server-side-search */
export class Search {
  readonly #reading: Reading;
  readonly #indexer: SearchIndexer;

  constructor(reading: Reading, indexer: SearchIndexer) {
    this.#reading = reading;
    this.#indexer = indexer;
  }

  /** A page of events that match the whole term, as far as the viewer may see them. @throws M_INVALID_PARAM */
  async find(request: SearchRequest): Promise<SearchPage> {
    const phrases = phrasesOf(request.term).slice(0, PHRASES_MAX);
    if (phrases.length === 0) return NOTHING;
    const { database } = this.#reading;
    const rooms = await database.read((tx) => searchedRooms(tx, request.viewer.userId, request.filter));
    if (rooms.size === 0) return NOTHING;
    await this.#indexer.caughtUp();
    const query = queryOf(phrases, request.keys, rooms);
    const count = this.#indexer.index.count(database, { ...query, limit: COUNT_MAX });
    const { looked, found, hits, next } = await (request.order === 'recent'
      ? this.#recent(request, query, rooms)
      : this.#ranked(request, query, rooms, phrases));
    // How many match at all is nobody's business: it would tell what is said in rooms that one isn't in.
    const share = looked === 0 ? 0 : found / looked;
    const estimate = Math.max(Math.round((await count) * share), hits.length);
    return { hits, next, count: estimate, highlights: phrases.map(({ text }) => text) };
  }

  async #recent(request: SearchRequest, query: BaseQuery, rooms: SearchedRooms): Promise<Stretch> {
    const before = request.from === undefined ? undefined : numberOf(request.from, 'r');
    const scan = { before, enough: request.limit, batch: request.limit * 2 };
    const { found, looked, end } = await this.#scan(request, query, rooms, scan, []);
    const hits = found.slice(0, request.limit);
    const last = found.length > request.limit ? hits.at(-1)?.stored.position : end;
    return { hits, looked, found: found.length, next: last === undefined ? undefined : `r${last}` };
  }

  async #ranked(
    request: SearchRequest,
    query: BaseQuery,
    rooms: SearchedRooms,
    phrases: readonly SearchPhrase[],
  ): Promise<Stretch> {
    const offset = request.from === undefined ? 0 : numberOf(request.from, 'k');
    const scan = { before: undefined, enough: RANKED_MAX, batch: RANKED_MAX };
    const { found, looked } = await this.#scan(request, query, rooms, scan, phrases);
    const ordered = found.slice(0, RANKED_MAX).sort((a, b) => b.rank - a.rank || b.stored.position - a.stored.position);
    const end = offset + request.limit;
    const next = end < ordered.length ? `k${end}` : undefined;
    return { hits: ordered.slice(offset, end), looked, found: found.length, next };
  }

  /** Goes back from match to match until `enough` of them may be seen. */
  async #scan(
    request: SearchRequest,
    query: BaseQuery,
    rooms: SearchedRooms,
    { before: from, enough, batch }: { before: number | undefined; enough: number; batch: number },
    phrases: readonly SearchPhrase[],
  ): Promise<Scanned> {
    const sights = new Map<number, RoomSight>();
    const found: SearchHit[] = [];
    let before = from;
    let looked = 0;
    for (let limit = batch; looked < SCANNED_MAX; limit = Math.min(limit * 4, BATCH_MAX)) {
      const positions = await this.#indexer.index.find(this.#reading.database, { ...query, before, limit });
      found.push(...(await this.#visible(request, positions, rooms, sights, phrases)));
      looked += positions.length;
      before = positions.at(-1);
      if (positions.length < limit || before === undefined) return { found, looked, end: undefined };
      if (found.length >= enough) break;
    }
    return { found, looked, end: before };
  }

  /** The events at these positions that pass and that the viewer may see, in that order. Others get their turn in between. */
  async #visible(
    request: SearchRequest,
    positions: readonly number[],
    rooms: SearchedRooms,
    sights: Map<number, RoomSight>,
    phrases: readonly SearchPhrase[],
  ): Promise<readonly SearchHit[]> {
    const hits: SearchHit[] = [];
    for (let start = 0; start < positions.length; start += PORTION) {
      if (start > 0) await nextTurn();
      const portion = positions.slice(start, start + PORTION);
      hits.push(...(await this.#visiblePortion(request, portion, rooms, sights, phrases)));
    }
    return hits;
  }

  #visiblePortion(
    request: SearchRequest,
    positions: readonly number[],
    rooms: SearchedRooms,
    sights: Map<number, RoomSight>,
    phrases: readonly SearchPhrase[],
  ): Promise<readonly SearchHit[]> {
    const { database, events, states, accounts } = this.#reading;
    return database.read(async (tx) => {
      const ignored = await accounts.ignoredUsers(request.viewer.userId);
      const documents = inOrder(await documentsAt(tx, positions), rooms);
      const sources = await sourcesOf(tx, events, documents);
      const hits: SearchHit[] = [];
      for (const [roomNid, inRoom] of Map.groupBy(sources, ({ stored }) => stored.roomNid)) {
        const wanted = inRoom.filter(({ stored }) => isWanted(stored, request.filter, ignored));
        const sight = sights.get(roomNid) ?? (await sightOf(tx, states, request.viewer.userId, roomNid, rooms));
        sights.set(roomNid, sight);
        await sight.load(
          tx,
          wanted.flatMap(({ stored, edit }) => (edit === undefined ? [stored] : [stored, edit])),
        );
        for (const source of wanted) {
          // What only an edit says is found by those who may see that edit.
          if (!sight.canSee(source.stored) || (source.edit !== undefined && !sight.canSee(source.edit))) continue;
          hits.push({ stored: source.stored, sight, rank: rankOf(source, phrases, source.length) });
        }
      }
      return hits.sort((a, b) => b.stored.position - a.stored.position);
    });
  }
}

type BaseQuery = Pick<TokenQuery, 'phrases' | 'labels'>;

function queryOf(phrases: readonly SearchPhrase[], keys: readonly SearchKey[], rooms: SearchedRooms): BaseQuery {
  const labels: string[][] = [];
  if (rooms.size <= ROOMS_IN_QUERY_MAX) labels.push([...rooms.keys()].map(roomLabel));
  const distinct = new Set(keys);
  if (distinct.size > 0 && distinct.size < SEARCH_KEYS.length) labels.push([...distinct].map(keyLabel));
  return { phrases, labels };
}

function inOrder(documents: readonly SearchDocument[], rooms: SearchedRooms): readonly SearchDocument[] {
  return documents.filter((one) => rooms.has(one.room_nid)).sort((a, b) => b.position - a.position);
}

function isWanted({ event }: StoredEvent, filter: RoomEventFilter, ignored: ReadonlySet<UserId>): boolean {
  if (ignored.has(event.sender) && !event.isState) return false;
  return acceptsEverything(filter) || matchesRoomEvent(filter, event);
}

async function sightOf(
  tx: ReadTx,
  states: Reading['states'],
  userId: UserId,
  roomNid: number,
  rooms: SearchedRooms,
): Promise<RoomSight> {
  const isJoined = rooms.get(roomNid) === 'join';
  const standing = isJoined ? ({ kind: 'joined' } as const) : await standingOf(tx, states, roomNid, userId);
  return new RoomSight(states, userId, standing);
}

/** What documents were made from. */
async function sourcesOf(tx: ReadTx, events: Reading['events'], documents: readonly SearchDocument[]) {
  const nids = new Set(documents.flatMap(({ event_nid: nid, source_nid: source }) => [nid, source]));
  const byNid = new Map((await events.byNids(tx, [...nids])).map((stored) => [stored.nid, stored]));
  return documents.flatMap(({ event_nid: nid, source_nid: source, length }) => {
    const stored = byNid.get(nid);
    const edit = source === nid ? undefined : byNid.get(source);
    return stored === undefined ? [] : [{ stored, edit, length }];
  });
}

/** What a token says: `r` and the position of the last hit by date, `k` and how many came before by rank. */
function numberOf(token: string, order: 'r' | 'k'): number {
  const number = Number(/^[rk](\d{1,16})$/.exec(token)?.[1]);
  if (!token.startsWith(order) || !Number.isSafeInteger(number)) {
    throw invalidParam('next_batch is not a token of this search');
  }
  return number;
}
