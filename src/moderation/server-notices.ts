import type { Accounts } from '../accounts/index.ts';
import type { Config } from '../config/index.ts';
import { invalidParam, MatrixError, notFound } from '../protocol/errors.ts';
import type { EventId, RoomId, UserId } from '../protocol/ids/index.ts';
import { type JsonObject, readStrings } from '../protocol/json/index.ts';
import type { Rooms } from '../rooms/index.ts';
import type { Database } from '../storage/index.ts';
import { findNoticeRoom, setNoticeRoom } from './notices-store.ts';

/** Something that the server has to say to one of its users. */
export interface ServerNotice {
  readonly userId: UserId;
  readonly content: JsonObject;
  /** Otherwise `m.room.message`. */
  readonly type?: string | undefined;
  /** Makes it a state event. */
  readonly stateKey?: string | undefined;
  /** Who has it sent and how they name it, so that a repeated request sends it once. */
  readonly transaction?: { readonly userId: UserId; readonly txnId: string } | undefined;
  /** Pinned notices are those that still matter: clients show them in a special way. */
  readonly isPinned?: boolean | undefined;
}

/** A limit that is reached. Spec: client-server-api/#server-notices */
export interface UsageLimit {
  readonly body: string;
  /** A URI by which users reach the administrator. */
  readonly adminContact: string;
  /** `monthly_active_user`, or one of one's own. */
  readonly limitType: string;
}

const USER_TYPE = 'server_notices';
const TAG = 'm.server_notice';

/** What the server itself says to its users: each has one room for that. Spec: client-server-api/#server-notices */
export class ServerNotices {
  readonly #database: Database;
  readonly #accounts: Accounts;
  readonly #rooms: Rooms;
  readonly #config: Config['server_notices'];
  readonly #making = new Map<UserId, Promise<RoomId>>();
  #speaker: Promise<void> | undefined;

  constructor(parts: {
    readonly database: Database;
    readonly accounts: Accounts;
    readonly rooms: Rooms;
    readonly config: Config['server_notices'];
  }) {
    this.#database = parts.database;
    this.#accounts = parts.accounts;
    this.#rooms = parts.rooms;
    this.#config = parts.config;
  }

  /**
   * Says something to a user, in their room for that, which is made where there is none; resolves with the event's id.
   * @throws MatrixError 400 for users of other servers, 404 for unknown ones
   */
  async send(notice: ServerNotice): Promise<EventId> {
    const { userId, content, type = 'm.room.message', stateKey, transaction } = notice;
    await this.#assertReachable(userId);
    const roomId = await this.#roomFor(userId);
    const event = { roomId, sender: this.#accounts.noticesUser, type, content };
    const eventId =
      stateKey === undefined
        ? await this.#rooms.send({ ...event, transaction: transaction && { ...transaction, deviceId: TAG } })
        : await this.#rooms.setState({ ...event, stateKey });
    if (notice.isPinned === true) await this.#pin(roomId, eventId);
    return eventId;
  }

  /** Tells a user of a limit that the server has reached. */
  sendUsageLimit(userId: UserId, { body, adminContact, limitType }: UsageLimit): Promise<EventId> {
    const content = {
      msgtype: 'm.server_notice',
      server_notice_type: 'm.server_notice.usage_limit_reached',
      body,
      admin_contact: adminContact,
      limit_type: limitType,
    };
    return this.send({ userId, content, isPinned: true });
  }

  async #assertReachable(userId: UserId): Promise<void> {
    if (!this.#accounts.isLocal(userId)) throw invalidParam('Server notices can only be sent to local users');
    const user = await this.#accounts.users.find(userId);
    if (user === undefined || user.isDeactivated) throw notFound('User not found');
    if (userId === this.#accounts.noticesUser) throw invalidParam('This is the user who sends the notices');
  }

  /** The user's room, with the user in it or invited to it. Notices that come together make one. */
  #roomFor(userId: UserId): Promise<RoomId> {
    const making = this.#making.get(userId);
    if (making !== undefined) return making;
    const made = this.#findOrMakeRoom(userId).finally(() => this.#making.delete(userId));
    this.#making.set(userId, made);
    return made;
  }

  async #findOrMakeRoom(userId: UserId): Promise<RoomId> {
    this.#speaker ??= this.#makeSpeaker().catch((error: unknown) => {
      this.#speaker = undefined;
      throw error;
    });
    await this.#speaker;
    const roomId = (await this.#findRoom(userId)) ?? (await this.#makeRoom(userId));
    const membership = (await this.#rooms.snapshot(roomId))?.membershipOf(userId);
    if (membership !== 'join' && membership !== 'invite') {
      // Clients know it by its tag, from the invite on.
      await this.#accounts.accountData.setTag(userId, roomId, TAG, {});
      await this.#rooms.invite({ roomId, sender: this.#accounts.noticesUser, target: userId });
    }
    return roomId;
  }

  async #findRoom(userId: UserId): Promise<RoomId | undefined> {
    const roomId = await this.#database.read((tx) => findNoticeRoom(tx, userId));
    const room = roomId === undefined ? undefined : await this.#rooms.snapshot(roomId);
    return room?.membershipOf(this.#accounts.noticesUser) === 'join' ? roomId : undefined;
  }

  async #makeRoom(userId: UserId): Promise<RoomId> {
    const { room_name: name, avatar_url: url } = this.#config;
    const roomId = await this.#rooms.create(this.#accounts.noticesUser, {
      preset: 'private_chat',
      name,
      isPlain: true,
      creationContent: { 'm.federate': false },
      // Only the server speaks here.
      powerLevels: { users_default: -10 },
      initialState: url === undefined ? [] : [{ type: 'm.room.avatar', stateKey: '', content: { url } }],
    });
    await this.#database.write('main', (tx) => setNoticeRoom(tx, userId, roomId));
    return roomId;
  }

  /** The account in whose name the server speaks, called as the configuration says. */
  async #makeSpeaker(): Promise<void> {
    const { users, profiles, noticesUser: userId } = this.#accounts;
    const { display_name: displayName, avatar_url: avatarUrl } = this.#config;
    const user = await users.find(userId);
    if (user === undefined) {
      const speaker = { userId, passwordHash: undefined, displayName, userType: USER_TYPE };
      await this.#database.write('main', (tx) => users.create(tx, speaker));
    } else if (user.userType !== USER_TYPE) {
      throw new MatrixError('M_UNKNOWN', `${userId} is somebody's account: set server_notices.user to another name`, {
        status: 500,
      });
    }
    await profiles.set(userId, 'displayname', displayName);
    if (avatarUrl === undefined) await profiles.delete(userId, 'avatar_url');
    else await profiles.set(userId, 'avatar_url', avatarUrl);
  }

  async #pin(roomId: RoomId, eventId: EventId): Promise<void> {
    const sender = this.#accounts.noticesUser;
    const pinned = [...(await this.#pinned(roomId)), eventId];
    await this.#rooms.setState({ roomId, sender, type: 'm.room.pinned_events', stateKey: '', content: { pinned } });
  }

  async #pinned(roomId: RoomId): Promise<readonly string[]> {
    const { database, events } = this.#rooms.reading;
    const entry = (await this.#rooms.snapshot(roomId))?.state.get('m.room.pinned_events', '');
    const [stored] = entry === undefined ? [] : await database.read((tx) => events.byIds(tx, [entry.eventId]));
    return (stored && readStrings(stored.event.content, 'pinned')) ?? [];
  }
}
