import { notFound } from '../../protocol/errors.ts';
import { parseRoomId, type RoomId, type ServerName, serverNameOf } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import {
  allowedRooms,
  childrenOf,
  isKnockable,
  isRestricted,
  previewOf,
  type SpaceChild,
  type SpaceRoom,
} from '../read/room-previews.ts';
import type { StateReader } from '../read/state-reader.ts';
import { findRoom, type RoomRow } from '../store/index.ts';
import type { ReceiveDeps } from './deps.ts';
import { isServerAllowed } from './server-acl.ts';

/** A room and its children as another server gets them. */
export interface ServedHierarchy {
  readonly room: SpaceRoom;
  readonly children: readonly SpaceRoom[];
  /** Rooms that we know and that nobody of that server may enter. */
  readonly inaccessible_children: readonly RoomId[];
}

/** Of one space so many children are looked at. */
const CHILDREN_MAX = 500;

/** Shows other servers rooms that their users may come into. Spec: server-server-api/#get_matrixfederationv1hierarchyroomid */
export class ServePreviews {
  readonly #deps: ReceiveDeps;
  readonly #states: StateReader;

  constructor(deps: ReceiveDeps, states: StateReader) {
    this.#deps = deps;
    this.#states = states;
  }

  /** @throws M_NOT_FOUND where we aren't in the room, or nobody of the server may enter or look in */
  async hierarchy(origin: ServerName, roomId: RoomId, suggestedOnly: boolean): Promise<ServedHierarchy> {
    const room = await this.#look(origin, roomId, suggestedOnly);
    if (room === undefined || room === 'closed') throw notFound('That room is not known here');
    const children: SpaceRoom[] = [];
    const closed: RoomId[] = [];
    for (const { state_key: childId } of room.children_state.slice(0, CHILDREN_MAX)) {
      const child = await this.#look(origin, childId, suggestedOnly);
      if (child === 'closed') closed.push(childId);
      else if (child !== undefined) children.push(child);
    }
    return { room, children, inaccessible_children: closed };
  }

  async #look(origin: ServerName, roomId: RoomId, suggestedOnly: boolean): Promise<SpaceRoom | 'closed' | undefined> {
    const hot = await this.#deps.hotRooms.find(roomId);
    if (hot?.isResident(this.#deps.serverName) !== true) return undefined;
    return this.#deps.database.read(async (tx) => {
      const room = await findRoom(tx, roomId);
      if (room === undefined) return undefined;
      if (!(await this.#mayEnter(tx, room, origin))) return 'closed';
      const children: readonly SpaceChild[] = await childrenOf(tx, this.#states, room, suggestedOnly);
      return { ...(await previewOf(tx, this.#states, room)), children_state: children };
    });
  }

  /** Whether any user of the server could come in or look in. */
  async #mayEnter(tx: ReadTx, room: RoomRow, origin: ServerName): Promise<boolean> {
    if (room.federate === 0) return false;
    const acl = await this.#states.event(tx, room.state_root, 'm.room.server_acl', '');
    if (!isServerAllowed(acl?.event.content, origin)) return false;
    if (room.history_visibility === 'world_readable' || room.join_rule === 'public' || isKnockable(room)) return true;
    if (isRestricted(room)) {
      for (const allowed of await allowedRooms(tx, this.#states, room)) {
        if ((await this.#deps.hotRooms.find(allowed))?.isResident(origin)) return true;
      }
    }
    return this.#hasMember(room, origin);
  }

  async #hasMember(room: RoomRow, origin: ServerName): Promise<boolean> {
    const roomId = parseRoomId(room.room_id);
    const snapshot = roomId && (await this.#deps.hotRooms.find(roomId))?.snapshot();
    for (const [userId, membership] of snapshot?.members() ?? []) {
      if ((membership === 'join' || membership === 'invite') && serverNameOf(userId) === origin) return true;
    }
    return false;
  }
}
