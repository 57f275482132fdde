import type { Clock } from '../clock.ts';
import { invalidParam } from '../protocol/errors.ts';
import { matchesEvent } from '../protocol/filter/index.ts';
import type { Viewer } from '../rooms/index.ts';
import type { Database, ReadTx } from '../storage/index.ts';
import { encodeSyncToken, type Hub, parseSyncToken, type Streams, type SyncToken } from '../streams/index.ts';
import { accountDataEvents, type SyncAccounts } from './account-data.ts';
import { LazyMembers } from './lazy-members.ts';
import type { OnlineUser } from './online-user.ts';
import { OnlineUsers } from './online-users.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext, SyncQuery } from './request.ts';
import { roomsSection } from './rooms-section.ts';
import { incrementalSkeleton, initialSkeleton, type Skeleton } from './skeleton.ts';

/** What a sync needs of the rest of the server. */
export interface SyncOptions {
  readonly database: Database;
  readonly hub: Hub;
  readonly streams: Streams;
  readonly rooms: SyncRooms;
  readonly accounts: SyncAccounts;
  readonly clock: Clock;
}

/**
 * `/sync`: skeleton (what changed) -> hydrate (read it) -> rules (who may see it) -> present (text).
 * Spec: client-server-api/#syncing
 */
export class Sync {
  readonly #options: SyncOptions;
  readonly #users: OnlineUsers;
  readonly #members = new LazyMembers();

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#users = new OnlineUsers(options);
  }

  /**
   * The answer as JSON text: at once where there is news, else as soon as there is some or the timeout is over.
   * `signal` ends the waiting when the client goes away.
   * @throws M_INVALID_PARAM for a token that isn't one of ours
   */
  async sync(viewer: Viewer, query: SyncQuery, signal: AbortSignal): Promise<string> {
    const since = query.since === undefined ? undefined : parseSyncToken(query.since);
    if (query.since !== undefined && since === undefined) throw invalidParam('since is not a token of this server');
    const deadline = this.#options.clock.now() + query.timeoutMs;
    const user = await this.#users.get(viewer.userId);
    for (;;) {
      const seen = user.news;
      const to = this.#now();
      const answer = await this.#answer(user, viewer, query, since, to);
      const restMs = deadline - this.#options.clock.now();
      if (answer !== undefined) return answer;
      if (restMs <= 0 || signal.aborted) return `{"next_batch":"${encodeSyncToken(to)}"}`;
      await user.waitForNews(seen, restMs, signal);
    }
  }

  /** The answer, or undefined where there is no news since the token. */
  async #answer(
    user: OnlineUser,
    viewer: Viewer,
    query: SyncQuery,
    since: SyncToken | undefined,
    to: SyncToken,
  ): Promise<string | undefined> {
    const isForced = since === undefined || query.fullState;
    if (!isForced && !hasNews(user, since)) return undefined;
    // Taken without waiting in between: rooms and positions are of one moment.
    const skeleton =
      since === undefined
        ? initialSkeleton(user, query.filter)
        : incrementalSkeleton(user, query.filter, this.#users.positions, since, query.fullState);
    const joined = [...user.rooms.values()].filter((room) => room.membership === 'join');
    if (!isForced && isEmpty(skeleton) && user.newest('account_data') <= since.accountData) return undefined;
    const context: SyncContext = {
      viewer,
      query,
      since,
      to,
      ignored: await this.#options.accounts.ignoredUsers(viewer.userId),
      members: this.#members.forRequest(viewer, query.since),
      rooms: joined,
      positions: this.#users.positions,
    };
    return this.#options.database.read((tx) => this.#hydrate(tx, context, skeleton, isForced));
  }

  async #hydrate(tx: ReadTx, context: SyncContext, skeleton: Skeleton, isForced: boolean): Promise<string | undefined> {
    const { rooms, accounts } = this.#options;
    const { query, to } = context;
    const accountData = await accountDataEvents(tx, accounts, context);
    const global = accountData.global.filter(({ type }) => matchesEvent(query.filter.accountData, type, undefined));
    const section = await roomsSection(tx, rooms, context, skeleton, accountData.byRoom);
    if (!isForced && section.json === '' && global.length === 0) return undefined;
    const nextBatch = encodeSyncToken(to);
    context.members.tell(nextBatch, section.told);
    let json = `{"next_batch":"${nextBatch}"`;
    if (global.length > 0) json += `,"account_data":{"events":[${global.map((event) => event.json).join(',')}]}`;
    if (section.json !== '') json += `,"rooms":${section.json}`;
    return `${json}}`;
  }

  #now(): SyncToken {
    const { streams } = this.#options;
    return {
      events: streams.current('events'),
      accountData: streams.current('account_data'),
      receipts: streams.current('receipts'),
      typing: streams.current('typing'),
      presence: 0,
      toDevice: 0,
      deviceLists: 0,
      profiles: 0,
    };
  }
}

/** Whether anything at all may have happened: four numbers, no query. */
function hasNews(user: OnlineUser, since: SyncToken): boolean {
  return (
    user.newest('events') > since.events ||
    user.newest('receipts') > since.receipts ||
    user.newest('typing') > since.typing ||
    user.newest('account_data') > since.accountData
  );
}

function isEmpty(skeleton: Skeleton): boolean {
  return Object.values(skeleton).every((rooms) => rooms.length === 0);
}
