import { type ServerName, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import type { Membership } from '../store/index.ts';
import { Overlay } from './overlay.ts';

/** A user's membership; an object, so that equal memberships in a row are told apart. */
export interface MemberEntry {
  readonly membership: Membership;
}

/** The users of a hot room, and by server how many are joined, so that nobody has to walk through all of them to know. */
export class RoomMembers extends Overlay<UserId, MemberEntry> {
  readonly #joined = new Map<ServerName, number>();
  readonly #servers = new Set<ServerName>();

  override set(userId: UserId, entry: MemberEntry): void {
    this.#count(userId, () => super.set(userId, entry));
  }

  override commit(userId: UserId, entry: MemberEntry): void {
    this.#count(userId, () => super.commit(userId, entry));
  }

  /** All who are joined. */
  *joined(): Iterable<UserId> {
    for (const [userId, { membership }] of this.entries()) if (membership === 'join') yield userId;
  }

  /** How many users of a server are joined. */
  joinedOf(server: ServerName): number {
    return this.#joined.get(server) ?? 0;
  }

  /** The servers with joined users, in the order in which they came. */
  residents(): Iterable<ServerName> {
    return this.#joined.keys();
  }

  /** Whether all users who ever had a membership are of this server. */
  areAllOf(server: ServerName): boolean {
    return this.#servers.size === 0 || (this.#servers.size === 1 && this.#servers.has(server));
  }

  #count(userId: UserId, change: () => void): void {
    const before = this.get(userId)?.membership === 'join';
    change();
    const server = serverNameOf(userId);
    this.#servers.add(server);
    const delta = Number(this.get(userId)?.membership === 'join') - Number(before);
    if (delta === 0) return;
    const count = this.joinedOf(server) + delta;
    if (count === 0) this.#joined.delete(server);
    else this.#joined.set(server, count);
  }
}
