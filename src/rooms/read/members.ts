import { LRUCache } from 'lru-cache';
import type { RoomId, UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { listMemberEventNids, listMembersBy, type Membership, type StoredEvent } from '../store/index.ts';
import { getJoinedRoom, getReadableRoom, type ReadableRoom } from './access.ts';
import { membershipOf } from './history-visibility.ts';
import { parsePosition } from './position-tokens.ts';
import { jsonArray, type Reading } from './reading.ts';
import { eventsOfView, type StateView, viewAfter, viewedState } from './states.ts';
import type { Viewer } from './viewer.ts';
import { RoomSight } from './visibility.ts';

/** What `/members` asks for. */
export interface MembersRequest {
  readonly roomId: RoomId;
  readonly viewer: Viewer;
  /** A token of the timeline or of `/sync`: the members at that place. */
  readonly at: string | undefined;
  readonly membership: Membership | undefined;
  readonly notMembership: Membership | undefined;
}

/**
 * The member events of a room as JSON text.
 * Spec: client-server-api/#get_matrixclientv3roomsroomidmembers
 * @throws M_FORBIDDEN
 */
export async function membersJson(reading: Reading, request: MembersRequest): Promise<string> {
  const { roomId, viewer, at, membership, notMembership } = request;
  const { database, states, presenter } = reading;
  const position = at === undefined ? undefined : parsePosition(at);
  return database.read(async (tx) => {
    const readable = await getReadableRoom(tx, states, roomId, viewer.userId);
    const view = position === undefined ? viewedState(readable) : await viewAt(tx, reading, readable, position);
    const members = view === undefined ? [] : await memberEvents(tx, reading, readable, view);
    const wanted = members.filter(({ event }) => isWanted(membershipOf(event.content), membership, notMembership));
    const sight = new RoomSight(states, viewer.userId, readable.standing);
    return `{"chunk":${jsonArray(await presenter.present(tx, wanted, viewer, { sight }))}}`;
  });
}

/** Both conditions together mean "or". */
function isWanted(is: Membership, membership: Membership | undefined, notMembership: Membership | undefined): boolean {
  if (membership === undefined && notMembership === undefined) return true;
  return is === membership || (notMembership !== undefined && is !== notMembership);
}

/** The state at a place in the timeline, though for those who left none after they did. */
async function viewAt(
  tx: ReadTx,
  { events }: Reading,
  { room, standing }: ReadableRoom,
  position: number,
): Promise<StateView | undefined> {
  const from = standing.kind === 'left' ? Math.min(position, standing.departure.position) : position;
  const [last] = await events.inRoom(tx, room.room_nid, { from, dir: 'b', limit: 1 });
  return last && viewAfter(last);
}

async function memberEvents(
  tx: ReadTx,
  { events, states }: Reading,
  { room }: ReadableRoom,
  view: StateView,
): Promise<readonly StoredEvent[]> {
  if (view.top === undefined && view.root === room.state_root) {
    return events.byNids(tx, await listMemberEventNids(tx, room.room_nid));
  }
  const state = await eventsOfView(tx, states, view);
  return state.filter(({ event }) => event.type === 'm.room.member');
}

/** How many characters of answers are kept. */
const JOINED_CHARS_MAX = 4 * 1024 * 1024;

interface JoinedAnswer {
  readonly stateRoot: number;
  readonly redactionCount: number;
  readonly json: string;
}

/** The joined members of rooms with their profiles; the answer is kept until the room's state changes. */
export class JoinedMembers {
  readonly #reading: Reading;
  readonly #answers = new LRUCache<number, JoinedAnswer>({
    maxSize: JOINED_CHARS_MAX,
    sizeCalculation: ({ json }) => json.length + 64,
  });

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /**
   * `{"joined":{…}}`, as JSON text.
   * Spec: client-server-api/#get_matrixclientv3roomsroomidjoined_members
   * @throws M_FORBIDDEN where the viewer isn't in the room
   */
  async json({ roomId, userId }: { readonly roomId: RoomId; readonly userId: UserId }): Promise<string> {
    const { database, events } = this.#reading;
    // Counted before the read, which sees at least as much.
    const { redactionCount } = events;
    return database.read(async (tx) => {
      const { room_nid: roomNid, state_root: stateRoot } = await getJoinedRoom(tx, roomId, userId);
      const kept = this.#answers.get(roomNid);
      if (kept?.stateRoot === stateRoot && kept.redactionCount === redactionCount) return kept.json;
      const members: string[] = [];
      for (const row of await listMembersBy(tx, roomNid, 'join')) {
        const name = row.display_name === null ? [] : [`"display_name":${JSON.stringify(row.display_name)}`];
        const avatar = row.avatar_url === null ? [] : [`"avatar_url":${JSON.stringify(row.avatar_url)}`];
        members.push(`${JSON.stringify(row.user_id)}:{${[...name, ...avatar].join(',')}}`);
      }
      const json = `{"joined":{${members.join(',')}}}`;
      this.#answers.set(roomNid, { stateRoot, redactionCount, json });
      return json;
    });
  }
}
