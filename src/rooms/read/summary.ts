import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { listFirstMembers, listRooms, type RoomRow } from '../store/index.ts';

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

  /** The summaries of rooms for a viewer, by nid. Spec: client-server-api/#get_matrixclientv3sync (RoomSummary) */
  async summariesOf(
    tx: ReadTx,
    roomNids: readonly number[],
    viewer: UserId,
  ): Promise<ReadonlyMap<number, RoomSummary>> {
    const summaries = new Map<number, RoomSummary>();
    if (roomNids.length === 0) return summaries;
    for (const room of await listRooms(tx, roomNids)) {
      const { joined_count: joined, invited_count: invited } = room;
      const heroes = room.name || room.canonical_alias ? [] : await this.#heroesOf(tx, room, viewer);
      summaries.set(room.room_nid, { heroes, joined, invited });
    }
    return summaries;
  }

  async #heroesOf(tx: ReadTx, room: RoomRow, viewer: UserId): Promise<readonly UserId[]> {
    const { room_nid: roomNid, state_root: stateRoot } = room;
    let kept = this.#heroes.get(roomNid);
    if (kept?.stateRoot !== stateRoot) {
      kept = { stateRoot, userIds: await listFirstMembers(tx, roomNid, 'present', CANDIDATES) };
      this.#heroes.set(roomNid, kept);
    }
    const others = kept.userIds.filter((userId) => userId !== viewer);
    if (others.length > 0) return others.slice(0, HEROES_MAX);
    const gone = await listFirstMembers(tx, roomNid, 'gone', CANDIDATES);
    return gone.filter((userId) => userId !== viewer).slice(0, HEROES_MAX);
  }
}
