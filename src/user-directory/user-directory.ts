import { invalidParam } from '../protocol/errors.ts';
import { localpartOf, type RoomId, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { phrasesOf } from '../search/index.ts';
import type { Database } from '../storage/index.ts';
import type { UserDirectoryIndexer } from './indexer.ts';
import { type DirectoryUser, directoryUsersAt, sharedRooms, visibleUsers } from './store.ts';

/** What the directory asks of accounts. */
export interface DirectoryAccounts {
  isLocal(userId: UserId): boolean;
  /** Those of our users who are still there. */
  activeAmong(userIds: readonly UserId[]): Promise<ReadonlySet<string>>;
}

/** A user who was found. */
export interface FoundUser {
  readonly userId: UserId;
  readonly displayName: string | undefined;
  readonly avatarUrl: string | undefined;
}

/** Of more matches only the newest are looked at. */
const CANDIDATES_MAX = 1_000;
const PHRASES_MAX = 10;
const PAGE = 100;

/** The search for users. Spec: client-server-api/#user-directory */
export class UserDirectory {
  readonly #database: Database;
  readonly #indexer: UserDirectoryIndexer;
  readonly #accounts: DirectoryAccounts;
  readonly #allLocalUsers: boolean;

  constructor(parts: {
    readonly database: Database;
    readonly indexer: UserDirectoryIndexer;
    readonly accounts: DirectoryAccounts;
    /** Every user of this server is found, whether they share a room or not. */
    readonly allLocalUsers: boolean;
  }) {
    this.#database = parts.database;
    this.#indexer = parts.indexer;
    this.#accounts = parts.accounts;
    this.#allLocalUsers = parts.allLocalUsers;
  }

  /** Users whose id or display name has all words of the term, the closest first; `limited`: there are more. */
  async find(
    viewer: UserId,
    term: string,
    limit: number,
  ): Promise<{ readonly users: readonly FoundUser[]; readonly limited: boolean }> {
    // A whole user id is looked for as the words in it.
    const phrases = phrasesOf(term).slice(0, PHRASES_MAX);
    if (phrases.length === 0) return { users: [], limited: false };
    const prefixes = phrases.map(({ tokens }) => ({ tokens, isPrefix: true }));
    const query = { phrases: prefixes, labels: [], limit: CANDIDATES_MAX };
    const nids = await this.#indexer.index.find(this.#database, query);
    const candidates = await this.#database.read((tx) => directoryUsersAt(tx, nids));
    const visible = await this.#visible(viewer, candidates);
    const wanted = term.trim().toLowerCase();
    const ordered = visible
      .map((user) => ({ user, closeness: closenessOf(user, wanted) }))
      .sort((a, b) => b.closeness - a.closeness || (a.user.user_id < b.user.user_id ? -1 : 1));
    return { users: ordered.slice(0, limit).map(({ user }) => toFound(user)), limited: ordered.length > limit };
  }

  /** A page of the rooms that both users are in. Spec: client-server-api/#mutual-rooms */
  async mutualRooms(
    viewer: UserId,
    other: UserId,
    from: string | undefined,
  ): Promise<{ readonly roomIds: readonly RoomId[]; readonly count: number; readonly next: string | undefined }> {
    const after = from === undefined ? 0 : Number(/^m(\d{1,15})$/.exec(from)?.[1] ?? Number.NaN);
    if (Number.isNaN(after)) throw invalidParam('from is not a token of this endpoint');
    const rooms = await this.#database.read((tx) => sharedRooms(tx, viewer, other));
    const rest = rooms.filter((room) => room.room_nid > after);
    const page = rest.slice(0, PAGE);
    const next = rest.length > PAGE ? `m${page.at(-1)?.room_nid}` : undefined;
    return { roomIds: page.map((room) => room.room_id), count: rooms.length, next };
  }

  async #visible(viewer: UserId, candidates: readonly DirectoryUser[]): Promise<readonly DirectoryUser[]> {
    const userIds = candidates.map((user) => user.user_id);
    const inRooms = await this.#database.read((tx) => visibleUsers(tx, viewer, userIds));
    const active = await this.#accounts.activeAmong(userIds.filter((userId) => this.#accounts.isLocal(userId)));
    return candidates.filter(({ user_id: userId }) => {
      if (!this.#accounts.isLocal(userId)) return inRooms.has(userId);
      return active.has(userId) && (this.#allLocalUsers || inRooms.has(userId) || userId === viewer);
    });
  }
}

/** 3: is the name, 2: begins with the term, 1: has a word that does; a little more for who has a name at all. */
function closenessOf({ user_id: userId, display_name: name }: DirectoryUser, term: string): number {
  const named = name === null ? 0 : 0.5;
  const texts = [userId, localpartOf(userId), name ?? ''].map((text) => text.toLowerCase());
  if (texts.includes(term) || `${localpartOf(userId)}:${serverNameOf(userId)}` === term) return 3 + named;
  return (texts.some((text) => text.startsWith(term)) ? 2 : 1) + named;
}

function toFound({ user_id, display_name, avatar_url }: DirectoryUser): FoundUser {
  return { userId: user_id, displayName: display_name ?? undefined, avatarUrl: avatar_url ?? undefined };
}
