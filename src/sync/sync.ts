import type { Clock } from '../clock.ts';
import type { Devices } from '../devices/index.ts';
import { invalidParam } from '../protocol/errors.ts';
import { matchesEvent } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { Viewer } from '../rooms/index.ts';
import type { Database, ReadTx } from '../storage/index.ts';
import { encodeSyncToken, type Hub, parseSyncToken, type Streams, type SyncToken } from '../streams/index.ts';
import { accountDataEvents, type SyncAccounts } from './account-data.ts';
import { type DeviceListChanges, deviceListChanges } from './device-lists.ts';
import { encryptionExtensions } from './encryption.ts';
import type { SyncExtension } from './extension.ts';
import { LazyMembers } from './lazy-members.ts';
import type { OnlineUser, UserRoom } from './online-user.ts';
import { OnlineUsers } from './online-users.ts';
import type { SyncRooms } from './ports.ts';
import type { SyncContext, SyncQuery } from './request.ts';
import { RoomChunks } from './room-chunks.ts';
import { roomsSection } from './rooms-section.ts';
import { incrementalSkeleton, initialSkeleton, type Skeleton } from './skeleton.ts';
import { hasStickyNews } from './sticky.ts';
import { typingNow, typingSince } from './typing-token.ts';

const DURABLE_STREAMS = ['events', 'accountData', 'receipts', 'toDevice', 'deviceLists', 'sticky'] as const;

/** What a sync needs of the rest of the server. */
export interface SyncOptions {
  readonly database: Database;
  readonly hub: Hub;
  readonly streams: Streams;
  readonly rooms: SyncRooms;
  readonly accounts: SyncAccounts;
  readonly devices: Devices;
  /** Further parts of the answer. */
  readonly extensions?: readonly SyncExtension[];
  readonly clock: Clock;
}

/**
 * `/sync`: skeleton (what changed) -> hydrate (read it) -> rules (who may see it) -> present (text).
 * Spec: client-server-api/#syncing
 */
export class Sync {
  readonly #options: SyncOptions;
  readonly #users: OnlineUsers;
  readonly #extensions: readonly SyncExtension[];
  readonly #members = new LazyMembers();
  readonly #chunks: RoomChunks;

  constructor(options: SyncOptions) {
    this.#options = options;
    this.#chunks = new RoomChunks(options.rooms);
    this.#extensions = [...encryptionExtensions(options.devices, options.rooms), ...(options.extensions ?? [])];
    this.#users = new OnlineUsers({ ...options, extensions: this.#extensions });
  }

  /**
   * The answer as JSON text: at once where there is news, else as soon as there is some or the timeout is over.
   * `signal` ends the waiting when the client goes away.
   * @throws M_INVALID_PARAM for a token that isn't one of ours
   */
  async sync(viewer: Viewer, query: SyncQuery, signal: AbortSignal): Promise<string> {
    let since = this.#start(query.since);
    const deadline = this.#options.clock.now() + query.timeoutMs;
    using use = await this.#users.use(viewer.userId);
    const { user } = use;
    if (since !== undefined) await this.#confirm(user, viewer, since);
    for (;;) {
      const seen = user.news;
      const to = this.#now(user);
      const answer = await this.#answer(user, viewer, query, since, to);
      const restMs = deadline - this.#options.clock.now();
      if (answer !== undefined) return answer;
      if (restMs <= 0 || signal.aborted) return joinAnswer(to, await this.#always(viewer));
      // Nothing was to be told up to here: it need not be looked at again.
      if (since !== undefined) since = to;
      await user.waitForNews(seen, restMs, signal);
    }
  }

  /**
   * Where the client stands; undefined where it begins anew.
   * @throws M_INVALID_PARAM
   */
  #start(text: string | undefined): SyncToken | undefined {
    if (text === undefined) return undefined;
    const since = parseSyncToken(text);
    if (since === undefined) throw invalidParam('since is not a token of this server');
    const { streams } = this.#options;
    const now = positionsNow(streams);
    // A token from after the present: the data is older than the client, so nothing is known of what the client has.
    if (DURABLE_STREAMS.some((stream) => since[stream] > now[stream])) return undefined;
    return { ...since, typing: typingSince(streams, since.typing) };
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
    const isExtended = since !== undefined && this.#extensions.some((one) => one.hasNews(user, viewer, since));
    if (!isForced && !isExtended && !hasNews(user, since)) return undefined;
    // Taken without waiting in between: rooms and positions are of one moment.
    const found =
      since === undefined
        ? initialSkeleton(user, query.filter)
        : incrementalSkeleton(user, query.filter, this.#users.positions, since, query.fullState);
    const isShown = this.#isShown(query);
    const skeleton = { ...found, join: found.join.filter(isShown) };
    const hasAccountData = user.newest('account_data') > (since?.accountData ?? 0);
    const isSticky = since !== undefined && hasStickyNews(user, since);
    if (!isForced && !isExtended && !hasAccountData && !isSticky && isEmpty(skeleton)) return undefined;
    const { joined } = user;
    const lastEvents = new Map<RoomId, number>();
    for (const { roomId } of skeleton.join) lastEvents.set(roomId, this.#users.positions.last('events', roomId));
    const context: SyncContext = {
      viewer,
      user,
      query,
      since,
      to,
      ignored: await this.#options.accounts.ignoredUsers(viewer.userId),
      hidesInvite: (inviter) => this.#options.accounts.hidesInvite(viewer.userId, inviter),
      members: this.#members.forRequest(viewer, since && query.since),
      chunks: this.#chunks,
      lastEvents,
      rooms: joined.filter(isShown),
    };
    const always = await this.#always(viewer);
    return this.#options.database.read((tx) => this.#hydrate(tx, context, skeleton, always));
  }

  /** Rooms that lack members are shown to those who load members lazily (MSC3902). */
  #isShown({ filter }: SyncQuery): (room: UserRoom) => boolean {
    const { rooms } = this.#options;
    return ({ roomNid }) => filter.room.state.lazyLoadMembers || !rooms.isPartial(roomNid);
  }

  async #hydrate(
    tx: ReadTx,
    context: SyncContext,
    skeleton: Skeleton,
    always: readonly string[],
  ): Promise<string | undefined> {
    const { rooms, accounts } = this.#options;
    const { query, since } = context;
    const isForced = since === undefined || query.fullState;
    const accountData = await accountDataEvents(tx, accounts, context);
    const global = accountData.global.filter(({ type }) => matchesEvent(query.filter.accountData, type, undefined));
    const section = await roomsSection(tx, rooms, accounts, context, skeleton, accountData.byRoom);
    const extended: string[] = [];
    let to = { ...context.to, sticky: section.stickyUpTo };
    for (const extension of this.#extensions) {
      const { members, upTo } = await extension.produce(tx, context);
      extended.push(...members);
      if (upTo !== undefined) to = { ...to, ...upTo };
    }
    if (!isForced && section.json === '' && global.length + extended.length === 0) return undefined;
    context.members.tell(encodeSyncToken(to), section.told);
    const parts = [...extended, ...always];
    if (global.length > 0) parts.push(`"account_data":{"events":[${global.map((event) => event.json).join(',')}]}`);
    if (section.json !== '') parts.push(`"rooms":${section.json}`);
    return joinAnswer(to, parts);
  }

  async #confirm(user: OnlineUser, viewer: Viewer, since: SyncToken): Promise<void> {
    for (const extension of this.#extensions) await extension.confirm?.(user, viewer, since);
  }

  /** What every answer has. */
  async #always(viewer: Viewer): Promise<readonly string[]> {
    const parts: string[] = [];
    for (const extension of this.#extensions) parts.push(...((await extension.always?.(viewer)) ?? []));
    return parts;
  }

  /**
   * Whose devices a user must look at again after one token up to another, and whose no more.
   * Spec: client-server-api/#get_matrixclientv3keyschanges
   * @throws M_INVALID_PARAM for a token that isn't one of ours
   */
  async deviceListChanges(userId: UserId, from: string, to: string): Promise<DeviceListChanges> {
    const range = { from: parseSyncToken(from), to: parseSyncToken(to) };
    if (range.from === undefined || range.to === undefined) throw invalidParam('from and to must be tokens of /sync');
    const bounds = { from: range.from, to: range.to };
    const { database, rooms, devices } = this.#options;
    using use = await this.#users.use(userId);
    const { user } = use;
    // Not given back before it is read.
    return await database.read((tx) => deviceListChanges(tx, rooms, devices.lists, user, bounds));
  }

  /** The token of an answer to a user who is told everything up to now. */
  #now(user: OnlineUser): SyncToken {
    const { streams, rooms } = this.#options;
    return { ...positionsNow(streams), typing: typingNow(streams, rooms, user) };
  }
}

function positionsNow(streams: Streams): SyncToken {
  return {
    events: streams.current('events'),
    accountData: streams.current('account_data'),
    receipts: streams.current('receipts'),
    typing: streams.current('typing'),
    presence: streams.current('presence'),
    toDevice: streams.current('to_device'),
    deviceLists: streams.current('device_lists'),
    profiles: 0,
    sticky: streams.current('events'),
  };
}

function joinAnswer(to: SyncToken, parts: readonly string[]): string {
  return `{${[`"next_batch":"${encodeSyncToken(to)}"`, ...parts].join(',')}}`;
}

/** Whether anything at all may have happened: four numbers, no query. */
function hasNews(user: OnlineUser, since: SyncToken): boolean {
  return (
    user.newest('events') > since.events ||
    user.newest('receipts') > since.receipts ||
    user.newest('typing') > since.typing ||
    hasStickyNews(user, since) ||
    user.newest('account_data') > since.accountData
  );
}

function isEmpty(skeleton: Skeleton): boolean {
  return Object.values(skeleton).every((rooms) => rooms.length === 0);
}
