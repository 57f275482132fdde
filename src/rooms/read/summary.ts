import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { listFirstMembers, listRooms } from '../store/index.ts';

/** Who is in a room, for clients that have no name for it. */
export interface RoomSummary {
  /**
   * Up to five users beside the viewer: the first ones joined or invited, or where there are none, those who left. None
   * where the room has a name or a canonical alias, since clients need them only to make up a name.
   */
  readonly heroes: readonly UserId[];
  readonly joined: number;
  readonly invited: number;
}

const HEROES_MAX = 5;
/** The viewer may be among them. */
const CANDIDATES = HEROES_MAX + 1;
const ROOMS_MAX = 5_000;

/** Summaries of rooms; what is equal for all viewers is kept until the room's state changes. */
export class Summaries {
  readonly #heroes = new LRUCache<number, { readonly stateRoot: number; readonly userIds: readonly UserId[] }>({
    ...upTo(ROOMS_MAX),
  });

  /** The summary of a room for a viewer. Spec: client-server-api/#get_matrixclientv3sync (RoomSummary) */
  async summaryOf(tx: ReadTx, roomNid: number, viewer: UserId): Promise<RoomSummary> {
    const [room] = await listRooms(tx, [roomNid]);
    if (room === undefined) return { heroes: [], joined: 0, invited: 0 };
    const { state_root: stateRoot, joined_count: joined, invited_count: invited } = room;
    if (room.name || room.canonical_alias) return { heroes: [], joined, invited };
    let kept = this.#heroes.get(roomNid);
    if (kept?.stateRoot !== stateRoot) {
      kept = { stateRoot, userIds: await listFirstMembers(tx, roomNid, 'present', CANDIDATES) };
      this.#heroes.set(roomNid, kept);
    }
    const others = kept.userIds.filter((userId) => userId !== viewer);
    const heroes =
      others.length > 0
        ? others
        : (await listFirstMembers(tx, roomNid, 'gone', CANDIDATES)).filter((userId) => userId !== viewer);
    return { heroes: heroes.slice(0, HEROES_MAX), joined, invited };
  }
}
