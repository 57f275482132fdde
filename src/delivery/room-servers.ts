import { LRUCache } from 'lru-cache';
import { parseUserId, type ServerName, serverNameOf } from '../protocol/ids/index.ts';
import { readString } from '../protocol/json/index.ts';
import { listMembersBy, listRooms, type Rooms } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';

interface Known {
  /** The state of which `counts` tells. */
  readonly root: number;
  /** How many users of each server are joined. */
  readonly counts: ReadonlyMap<ServerName, number>;
  readonly servers: ReadonlySet<ServerName>;
}

const ROOMS_MAX = 5_000;

/**
 * Which servers are in a room in a given state. Kept for the latest state asked for, and brought to the next one by what
 * differs between the two: a message costs a look-up, a member event two reads.
 */
export class RoomServers {
  readonly #rooms: Pick<Rooms, 'events' | 'stateTree' | 'stateKeys' | 'partial'>;
  readonly #known = new LRUCache<number, Known>({ max: ROOMS_MAX });

  constructor(rooms: Pick<Rooms, 'events' | 'stateTree' | 'stateKeys' | 'partial'>) {
    this.#rooms = rooms;
  }

  /** The servers with joined users in the state with this root. */
  async at(tx: ReadTx, roomNid: number, root: number): Promise<ReadonlySet<ServerName>> {
    let known = this.#known.get(roomNid) ?? (await this.#load(tx, roomNid));
    if (known === undefined) return new Set();
    if (known.root !== root) known = await this.#move(tx, known, root);
    this.#known.set(roomNid, known);
    // Of a room that we know a part of, another server has told us.
    const told = this.#rooms.partial.find(roomNid)?.servers;
    return told === undefined ? known.servers : known.servers.union(told);
  }

  async #load(tx: ReadTx, roomNid: number): Promise<Known | undefined> {
    const [room] = await listRooms(tx, [roomNid]);
    if (room === undefined) return undefined;
    const counts = new Map<ServerName, number>();
    for (const { user_id: userId } of await listMembersBy(tx, roomNid, 'join')) add(counts, serverNameOf(userId), 1);
    return knownOf(room.state_root, counts);
  }

  async #move(tx: ReadTx, known: Known, root: number): Promise<Known> {
    const { stateTree, stateKeys } = this.#rooms;
    const changed = await stateTree.diff(tx, known.root, root);
    const names = await stateKeys.names(tx, [...changed.keys()]);
    const counts = new Map(known.counts);
    for (const [keyNid, after] of changed) {
      const name = names.get(keyNid);
      const userId = name?.type === 'm.room.member' ? parseUserId(name.stateKey) : undefined;
      if (userId === undefined) continue;
      const before = await stateTree.get(tx, known.root, keyNid);
      const delta = Number(await this.#isJoin(tx, after)) - Number(await this.#isJoin(tx, before));
      add(counts, serverNameOf(userId), delta);
    }
    return knownOf(root, counts);
  }

  async #isJoin(tx: ReadTx, nid: number | undefined): Promise<boolean> {
    if (nid === undefined) return false;
    const [stored] = await this.#rooms.events.byNids(tx, [nid]);
    return stored !== undefined && readString(stored.event.content, 'membership') === 'join';
  }
}

function knownOf(root: number, counts: ReadonlyMap<ServerName, number>): Known {
  const servers = new Set<ServerName>();
  for (const [server, count] of counts) if (count > 0) servers.add(server);
  return { root, counts, servers };
}

function add(counts: Map<ServerName, number>, server: ServerName, delta: number): void {
  counts.set(server, (counts.get(server) ?? 0) + delta);
}
