import type { Clock } from '../clock.ts';
import { forbidden, notFound } from '../protocol/errors.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { MembershipNews, ShadowBanSource, StreamNews } from '../rooms/index.ts';
import type { Database } from '../storage/index.ts';
import type { Hub, MemoryStream } from '../streams/index.ts';
import { roomsUpTo, shareRoom } from './store.ts';
import { type PresenceName, type PresenceView, UserState } from './user-state.ts';

export interface PresenceDeps {
  readonly database: Database;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly stream: MemoryStream;
  readonly isEnabled: boolean;
  readonly isLocal: (userId: UserId) => boolean;
  /** Who is shadow-banned, and so never seen online. */
  readonly shadowBans?: ShadowBanSource;
  readonly onError: (error: unknown) => void;
}

/** Under `stream:presence`: the presence of these users changed. */
export interface PresenceNews {
  readonly users: readonly UserId[];
}

interface Tracked {
  readonly state: UserState;
  /** What others were told last. */
  told: PresenceView;
  stopListening: () => void;
}

/** A user who waits for news. */
interface Viewer {
  openSyncs: number;
  toldPosition: number;
  toldTs: number;
}

/** In larger rooms nobody is told who is online: that would cost the square of their members. */
const ROOM_MEMBERS_MAX = 1_000;
/** Changes are told together, once in this time. */
const FLUSH_MS = 1_000;
/** So many users are woken in a second for presence alone; with more of them each is woken less often. */
const WAKES_PER_SECOND_MAX = 500;
/** Time passes for users in so many portions, one a flush. */
const SWEEP_PORTIONS = 10;

const OFFLINE: PresenceView = { presence: 'offline', statusMsg: undefined, lastActiveTs: 0, currentlyActive: false };

/**
 * Who is online; in memory only. A change costs its rooms one entry each, and nothing for each member: who syncs finds it by the
 * rooms, and who waits is woken at a bounded rate.
 * Spec: client-server-api/#presence
 */
export class Presence implements Disposable {
  readonly stream: MemoryStream;
  readonly #deps: PresenceDeps;
  readonly #users = new Map<UserId, Tracked>();
  readonly #viewers = new Map<UserId, Viewer>();
  readonly #changedAt = new Map<RoomId, number>();
  /** Who is seen in a room. */
  readonly #seenIn = new Map<RoomId, Set<UserId>>();
  readonly #changed = new Set<UserId>();
  #timer: NodeJS.Timeout | undefined;
  #portion = 0;

  constructor(deps: PresenceDeps) {
    this.#deps = deps;
    this.stream = deps.stream;
  }

  /** Begins to look at the time. */
  start(): void {
    if (!this.#deps.isEnabled) return;
    this.#timer = setInterval(() => void this.flush().catch(this.#deps.onError), FLUSH_MS);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const { stopListening } of this.#users.values()) stopListening();
    this.#users.clear();
  }

  /** A device waits for news. Call what is returned when it no longer does. */
  beginSync(userId: UserId, deviceId: string, wish: PresenceName): () => void {
    if (!this.#deps.isEnabled) return NOTHING;
    const now = this.#deps.clock.now();
    const viewer = this.#viewers.get(userId) ?? { openSyncs: 0, toldPosition: this.stream.current, toldTs: now };
    viewer.openSyncs++;
    this.#viewers.set(userId, viewer);
    const isHidden = wish === 'offline' || this.#deps.shadowBans?.has(userId) === true;
    const tracked = isHidden ? undefined : this.#track(userId);
    tracked?.state.beginSync(deviceId, wish, now);
    if (tracked !== undefined && isNews(tracked.told, tracked.state.view(now))) this.#changed.add(userId);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      tracked?.state.endSync(deviceId, this.#deps.clock.now());
      viewer.openSyncs--;
      if (viewer.openSyncs === 0) this.#viewers.delete(userId);
    };
  }

  /** A user sets their presence and status message. */
  set(userId: UserId, presence: PresenceName, statusMsg: string | undefined): void {
    if (!this.#deps.isEnabled || this.#deps.shadowBans?.has(userId) === true) return;
    this.#track(userId).state.set(presence, statusMsg, this.#deps.clock.now());
    this.#changed.add(userId);
  }

  /** A user does something that shows that they are there. */
  touch(userId: UserId): void {
    const tracked = this.#users.get(userId);
    if (tracked === undefined) return;
    const now = this.#deps.clock.now();
    tracked.state.touch(now);
    if (isNews(tracked.told, tracked.state.view(now))) this.#changed.add(userId);
  }

  /** What another server says of one of its users. Nothing is kept of users whom none of ours can see. */
  async receive(userId: UserId, view: PresenceView): Promise<void> {
    if (!this.#deps.isEnabled) return;
    if (!this.#users.has(userId)) {
      const rooms = await this.#deps.database.read((tx) => roomsUpTo(tx, userId, ROOM_MEMBERS_MAX));
      if (rooms.size === 0) return;
    }
    const tracked = this.#track(userId);
    tracked.state.setRemote(view, this.#deps.clock.now());
    if (isNews(tracked.told, view)) this.#changed.add(userId);
  }

  /** The rooms in which others see a user's presence, as far as they were told of it. */
  roomsOf(userId: UserId): ReadonlySet<RoomId> {
    return this.#users.get(userId)?.state.rooms ?? NO_ROOMS;
  }

  /**
   * A user's presence as another may see it.
   * @throws M_FORBIDDEN for who shares no room with them, M_NOT_FOUND where presence is off
   */
  async get(viewer: UserId, userId: UserId): Promise<PresenceView> {
    if (!this.#deps.isEnabled) throw notFound('Presence is switched off');
    if (viewer !== userId && !(await this.#deps.database.read((tx) => shareRoom(tx, viewer, userId)))) {
      throw forbidden('You are not allowed to see their presence');
    }
    return this.viewOf(userId);
  }

  /** A user's presence, whoever asks. */
  viewOf(userId: UserId): PresenceView {
    return this.#users.get(userId)?.state.view(this.#deps.clock.now()) ?? OFFLINE;
  }

  /** Whether anything changed in one of these rooms after a position. */
  hasChanged(roomIds: Iterable<RoomId>, after: number): boolean {
    if (!this.#deps.isEnabled || this.stream.current <= after) return false;
    for (const roomId of roomIds) if ((this.#changedAt.get(roomId) ?? 0) > after) return true;
    return false;
  }

  /** The users in these rooms whose presence changed after a position; with 0, all who aren't offline. */
  changedIn(roomIds: ReadonlySet<RoomId>, after: number): ReadonlySet<UserId> {
    const found = new Set<UserId>();
    if (!this.#deps.isEnabled) return found;
    const now = this.#deps.clock.now();
    for (const roomId of roomIds) {
      if ((this.#changedAt.get(roomId) ?? 0) <= after) continue;
      for (const userId of this.#seenIn.get(roomId) ?? []) {
        const state = this.#users.get(userId)?.state;
        if (state === undefined || state.position <= after || found.has(userId)) continue;
        if (after > 0 || state.view(now).presence !== 'offline') found.add(userId);
      }
    }
    return found;
  }

  /** The `m.presence` event of a user, as JSON. Spec: client-server-api/#mpresence */
  eventOf(userId: UserId): string {
    const content = presenceJson(this.viewOf(userId), this.#deps.clock.now());
    return JSON.stringify({ type: 'm.presence', sender: userId, content });
  }

  /** Tells what changed. Runs by itself once a second. */
  async flush(): Promise<void> {
    const now = this.#deps.clock.now();
    this.#sweep(now);
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const userId of changed) await this.#publish(userId, now);
    if (changed.length > 0) this.#deps.hub.wake(['stream:presence'], { users: changed } satisfies PresenceNews);
    this.#wake(now);
  }

  /** Notices who has become idle or has gone. */
  #sweep(now: number): void {
    this.#portion = (this.#portion + 1) % SWEEP_PORTIONS;
    let index = 0;
    for (const [userId, tracked] of this.#users) {
      index++;
      if (index % SWEEP_PORTIONS !== this.#portion) continue;
      const view = tracked.state.view(now);
      if (isNews(tracked.told, view)) this.#changed.add(userId);
      else if (view.presence === 'offline' && view.statusMsg === undefined && tracked.state.isIdle(now)) {
        tracked.stopListening();
        this.#setRooms(userId, tracked.state, NO_ROOMS);
        this.#users.delete(userId);
      }
    }
  }

  async #publish(userId: UserId, now: number): Promise<void> {
    const tracked = this.#users.get(userId);
    if (tracked === undefined) return;
    const { state } = tracked;
    const rooms = state.rooms ?? (await this.#deps.database.read((tx) => roomsUpTo(tx, userId, ROOM_MEMBERS_MAX)));
    this.#setRooms(userId, state, rooms);
    tracked.told = state.view(now);
    state.position = this.stream.next();
    for (const roomId of rooms) this.#changedAt.set(roomId, state.position);
    // Their own other devices are told too, whatever rooms there are.
    this.#deps.hub.wake([`user:${userId}`], { stream: 'presence', position: state.position } satisfies StreamNews);
  }

  /** Wakes who waits and has something to see, each no more often than the number of them allows. */
  #wake(now: number): void {
    const pauseMs = Math.max(FLUSH_MS, (this.#viewers.size / WAKES_PER_SECOND_MAX) * 1000);
    const position = this.stream.current;
    for (const [userId, viewer] of this.#viewers) {
      if (viewer.toldPosition >= position || now - viewer.toldTs < pauseMs) continue;
      const rooms = this.#users.get(userId)?.state.rooms;
      // Of who is invisible the rooms aren't known here: sync itself finds out.
      if (rooms !== undefined && !this.hasChanged(rooms, viewer.toldPosition)) continue;
      viewer.toldPosition = position;
      viewer.toldTs = now;
      this.#deps.hub.wake([`user:${userId}`], { stream: 'presence', position } satisfies StreamNews);
    }
  }

  /** Says in which rooms a user is seen. */
  #setRooms(userId: UserId, state: UserState, rooms: ReadonlySet<RoomId>): void {
    if (state.rooms === rooms) return;
    for (const roomId of state.rooms ?? NO_ROOMS) {
      const seen = this.#seenIn.get(roomId);
      if (seen?.delete(userId) && seen.size === 0) this.#seenIn.delete(roomId);
    }
    for (const roomId of rooms) {
      const seen = this.#seenIn.get(roomId);
      if (seen === undefined) this.#seenIn.set(roomId, new Set([userId]));
      else seen.add(userId);
    }
    state.rooms = rooms;
  }

  #track(userId: UserId): Tracked {
    const known = this.#users.get(userId);
    if (known !== undefined) return known;
    const tracked: Tracked = { state: new UserState(), told: OFFLINE, stopListening: NOTHING };
    tracked.stopListening = this.#deps.hub.listen(`user:${userId}`, (news) => {
      if (!isMembershipNews(news)) return;
      // In other rooms now: those who are there must hear of this user.
      this.#setRooms(userId, tracked.state, NO_ROOMS);
      tracked.state.rooms = undefined;
      this.#changed.add(userId);
    });
    this.#users.set(userId, tracked);
    return tracked;
  }
}

const NOTHING = (): void => undefined;
const NO_ROOMS: ReadonlySet<RoomId> = new Set();

/** The content of `m.presence`, and the answer to who asks for it. */
export function presenceJson({ presence, statusMsg, lastActiveTs, currentlyActive }: PresenceView, now: number) {
  return {
    presence,
    ...(lastActiveTs === 0 ? {} : { last_active_ago: Math.max(0, now - lastActiveTs) }),
    ...(statusMsg === undefined ? {} : { status_msg: statusMsg }),
    ...(presence === 'online' ? { currently_active: currentlyActive } : {}),
  };
}

function isNews(told: PresenceView, now: PresenceView): boolean {
  return (
    told.presence !== now.presence || told.statusMsg !== now.statusMsg || told.currentlyActive !== now.currentlyActive
  );
}

function isMembershipNews(payload: unknown): payload is MembershipNews {
  return typeof payload === 'object' && payload !== null && 'membership' in payload && 'eventNid' in payload;
}
