import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { membershipOf } from '../read/history-visibility.ts';
import type { StateReader } from '../read/state-reader.ts';
import { listMembershipsIn, type MembershipRow, type StoredEvent } from '../store/index.ts';
import { listOwnReceipts, type ReceiptRow } from './receipt-rows.ts';
import { RoomTails, type TailEvent } from './room-tails.ts';
import { countUnread, NOTHING_UNREAD, type OwnVerdict, type ReadUpTo, type UnreadRoom } from './unread-fold.ts';
import { listCounted, listOwnVerdicts } from './unread-rows.ts';

/** For whom and where unread events are to be counted. */
export interface UnreadRequest {
  readonly userId: UserId;
  /** Rooms that the user is in. */
  readonly roomNids: readonly number[];
  /** Whose events don't count. */
  readonly ignored: ReadonlySet<UserId>;
  /** Up to which position of the stream 'events' is counted; the transaction must have begun after that was committed. */
  readonly upTo: number;
  /** Where the stream 'receipts' stood when the transaction began, or earlier. */
  readonly receiptsUpTo: number;
}

interface Entry {
  readonly unread: UnreadRoom;
  readonly readUpTo: ReadUpTo;
  readonly upTo: number;
  readonly ignored: ReadonlySet<UserId>;
}

/** An LRU takes its memory at once, so these stay modest. */
const ENTRIES_MAX = 20_000;
/** Of more unread events than this in one room only the newest are counted. */
const COUNTED_MAX = 20_000;
const MEMBER_EVENTS_MAX = 200;

/**
 * Unread counts. They are derived: from the position read (receipts, and the user's own events), from what each event does to
 * everybody's counts, and from the few verdicts of single users. What was counted is kept and goes on from there, so a new
 * message costs its readers no query of their own.
 */
export class UnreadCounts {
  readonly #states: StateReader;
  readonly #tails = new RoomTails();
  readonly #entries = new LRUCache<string, Entry>(upTo(ENTRIES_MAX));
  /** The last receipt of each user who set one lately, so that nothing older is kept after it. */
  readonly #lastReceipt = new LRUCache<UserId, number>(upTo(ENTRIES_MAX));
  /** By the nid of a member event, where the stay began that it belongs to. */
  readonly #joinPositions = new LRUCache<number, number>(upTo(ENTRIES_MAX));

  constructor({ states }: { states: StateReader }) {
    this.#states = states;
  }

  /** The unread counts of a user by room nid. */
  async count(tx: ReadTx, request: UnreadRequest): Promise<ReadonlyMap<number, UnreadRoom>> {
    const counts = new Map<number, UnreadRoom>();
    const toCount: number[] = [];
    for (const roomNid of request.roomNids) {
      const entry = await this.#continued(tx, roomNid, request);
      if (entry === undefined) toCount.push(roomNid);
      else counts.set(roomNid, entry.unread);
    }
    if (toCount.length === 0) return counts;
    const receipts = Map.groupBy(await listOwnReceipts(tx, request.userId, toCount), (row) => row.room_nid);
    const joins = await this.#joinPositionsIn(tx, request.userId, toCount);
    for (const roomNid of toCount) {
      const readUpTo = readUpToOf(joins.get(roomNid) ?? 0, receipts.get(roomNid) ?? []);
      const entry = await this.#counted(tx, roomNid, request, readUpTo);
      counts.set(roomNid, entry.unread);
      this.#keep(roomNid, request, entry);
    }
    return counts;
  }

  /** Forgets what was counted, since the user has set a receipt at `position` of the stream 'receipts'. */
  forget(userId: UserId, roomNid: number, position: number): void {
    this.#lastReceipt.set(userId, position);
    this.#entries.delete(`${roomNid}:${userId}`);
  }

  /** What was counted before, with what came since then; undefined where all must be counted anew. */
  async #continued(tx: ReadTx, roomNid: number, request: UnreadRequest): Promise<Entry | undefined> {
    const { userId, ignored, upTo } = request;
    const entry = this.#entries.get(`${roomNid}:${userId}`);
    if (entry === undefined || !isSameSet(entry.ignored, ignored)) return undefined;
    if (entry.upTo >= upTo) return entry;
    const news = await this.#tails.events(tx, roomNid, entry.upTo, upTo);
    // A member event of the user's own may begin another stay: what came before it is no longer unread.
    const isOutdated = (event: TailEvent) => event.isRedaction || (event.sender === userId && !event.showsPresence);
    if (news === undefined || news.some(isOutdated)) return undefined;
    const { readUpTo } = entry;
    const unread = countUnread(entry.unread, news, {
      userId,
      ignored,
      readUpTo,
      verdictOn: ({ verdicts }) => verdicts?.get(userId),
    });
    const next = { unread, readUpTo, upTo, ignored };
    this.#keep(roomNid, request, next);
    return next;
  }

  async #counted(
    tx: ReadTx,
    roomNid: number,
    { userId, ignored, upTo }: UnreadRequest,
    readUpTo: ReadUpTo,
  ): Promise<Entry> {
    const range = { roomNid, after: readUpTo.all, upTo, limit: COUNTED_MAX };
    const events = await listCounted(tx, range);
    if (events.length === 0) return { unread: NOTHING_UNREAD, readUpTo, upTo, ignored };
    const verdicts = new Map<number, OwnVerdict>();
    for (const row of await listOwnVerdicts(tx, userId, range)) {
      verdicts.set(row.position, { notify: row.notify === 1, highlight: row.highlight === 1 });
    }
    const verdictOn = ({ position }: { readonly position: number }) => verdicts.get(position);
    return {
      unread: countUnread(NOTHING_UNREAD, events, { userId, ignored, readUpTo, verdictOn }),
      readUpTo,
      upTo,
      ignored,
    };
  }

  /** Where the user's present stay in each room began: what came before isn't unread. */
  async #joinPositionsIn(
    tx: ReadTx,
    userId: UserId,
    roomNids: readonly number[],
  ): Promise<ReadonlyMap<number, number>> {
    const rows = await listMembershipsIn(tx, userId, roomNids);
    const unknown = rows.filter((row) => !this.#joinPositions.has(row.event_nid)).map((row) => row.event_nid);
    const events = new Map((await this.#states.events.byNids(tx, unknown)).map((event) => [event.nid, event]));
    const positions = new Map<number, number>();
    for (const row of rows) positions.set(row.room_nid, await this.#joinPosition(tx, row, events.get(row.event_nid)));
    return positions;
  }

  async #joinPosition(
    tx: ReadTx,
    { user_id: userId, event_nid: nid, position: latest }: MembershipRow,
    member: StoredEvent | undefined,
  ): Promise<number> {
    const known = this.#joinPositions.get(nid);
    if (known !== undefined) return known;
    let position = latest;
    let event = member;
    for (let step = 0; event !== undefined && step < MEMBER_EVENTS_MAX; step++) {
      event = await this.#states.memberEvent(tx, event.stateBefore, userId);
      if (event === undefined || membershipOf(event.event.content) !== 'join') break;
      position = event.position;
    }
    this.#joinPositions.set(nid, position);
    return position;
  }

  #keep(roomNid: number, { userId, receiptsUpTo }: UnreadRequest, entry: Entry): void {
    // This transaction may not have seen the latest receipt.
    if ((this.#lastReceipt.get(userId) ?? 0) <= receiptsUpTo) this.#entries.set(`${roomNid}:${userId}`, entry);
  }
}

function readUpToOf(joined: number, receipts: readonly ReceiptRow[]): ReadUpTo {
  let all = joined;
  let main = joined;
  const threads = new Map<string, number>();
  for (const { thread_id: threadId, event_position: position } of receipts) {
    if (threadId === '') all = Math.max(all, position);
    else if (threadId === 'main') main = Math.max(main, position);
    else threads.set(threadId, Math.max(threads.get(threadId) ?? position, position));
  }
  return { all, main, threads };
}

function isSameSet(a: ReadonlySet<UserId>, b: ReadonlySet<UserId>): boolean {
  return a === b || (a.size === b.size && a.isSubsetOf(b));
}
