import type { EventId, RoomId, UserId } from '../../protocol/ids/index.ts';
import type { ReadTx } from '../../storage/index.ts';
import { PartialRooms } from '../partial-rooms.ts';
import { findRoom, listMembersBy, listRoomsOfUser } from '../store/index.ts';
import { getJoinedRoom } from './access.ts';
import { type ContextRequest, contextJson, eventJson } from './context.ts';
import { JoinedMembers, type MembersRequest, membersJson } from './members.ts';
import { type PublicRoomsPage, type PublicRoomsRequest, publicRooms } from './public-rooms.ts';
import type { Reading } from './reading.ts';
import { type RelationsRequest, relationsJson } from './relations.ts';
import { type RoomSummaryRequest, roomSummary, type ViewedPreview } from './room-summary.ts';
import { type HierarchyPage, type HierarchyRequest, spaceHierarchy } from './space-hierarchy.ts';
import { type StateEventRequest, stateEventJson, stateJson } from './state-answers.ts';
import { type ThreadsRequest, threadsJson } from './threads.ts';
import { NO_OLDER_HISTORY, type OlderHistory, type TimelineRequest, timelineJson } from './timeline.ts';
import { type EventAtTime, eventByTimestamp, type TimestampRequest } from './timestamps.ts';
import type { Viewer } from './viewer.ts';

/**
 * What users can read of rooms. What is mostly events comes as JSON text, ready to be sent. Everything is refused to those who
 * may not see it: by the room (M_FORBIDDEN), and event by event by the history visibility.
 */
export class RoomReads {
  readonly #reading: Reading;
  readonly #partial: PartialRooms;
  readonly #history: OlderHistory;
  readonly #joinedMembers: JoinedMembers;

  constructor(reading: Reading, history: OlderHistory = NO_OLDER_HISTORY, partial = new PartialRooms()) {
    this.#partial = partial;
    this.#reading = reading;
    this.#history = history;
    this.#joinedMembers = new JoinedMembers(reading);
  }

  /** A page of the timeline: the answer of `/messages`. */
  timeline(request: TimelineRequest): Promise<string> {
    return timelineJson(this.#reading, request, this.#history);
  }

  /** An event and what stands around it: the answer of `/context`. */
  context(request: ContextRequest): Promise<string> {
    return contextJson(this.#reading, request);
  }

  /** One event. */
  event(request: { readonly roomId: RoomId; readonly eventId: EventId; readonly viewer: Viewer }): Promise<string> {
    return eventJson(this.#reading, request);
  }

  /** A page of an event's children: the answer of `/relations`. */
  relations(request: RelationsRequest): Promise<string> {
    return relationsJson(this.#reading, request);
  }

  /** A page of a room's threads: the answer of `/threads`. */
  threads(request: ThreadsRequest): Promise<string> {
    return threadsJson(this.#reading, request);
  }

  /** The event nearest to a time. */
  eventByTimestamp(request: TimestampRequest): Promise<EventAtTime> {
    return eventByTimestamp(this.#reading, request, this.#history);
  }

  /** The state: a JSON array of events. */
  async state(request: { readonly roomId: RoomId; readonly viewer: Viewer }): Promise<string> {
    await this.#partial.assertWhole(request.roomId);
    return stateJson(this.#reading, request);
  }

  /** One state event or its content. */
  async stateEvent(request: StateEventRequest): Promise<string> {
    try {
      return await stateEventJson(this.#reading, request);
    } catch (error) {
      // A member who isn't known yet.
      const { roomId, type } = request;
      if (type !== 'm.room.member' || this.#partial.findById(roomId) === undefined) throw error;
    }
    await this.#partial.assertWhole(request.roomId);
    return stateEventJson(this.#reading, request);
  }

  /** The member events: the answer of `/members`. */
  async members(request: MembersRequest): Promise<string> {
    await this.#partial.assertWhole(request.roomId);
    return membersJson(this.#reading, request);
  }

  /** The joined members with their profiles: the answer of `/joined_members`. */
  async joinedMembers(request: { readonly roomId: RoomId; readonly userId: UserId }): Promise<string> {
    await this.#partial.assertWhole(request.roomId);
    return this.#joinedMembers.json(request);
  }

  /** The rooms that a user is in. */
  async joinedRooms(userId: UserId): Promise<readonly RoomId[]> {
    const rows = await this.#reading.database.read((tx) => listRoomsOfUser(tx, userId));
    return rows.filter((row) => row.membership === 'join').map((row) => row.room_id);
  }

  /** A page of the published directory. */
  publicRooms(request: PublicRoomsRequest): Promise<PublicRoomsPage> {
    return publicRooms(this.#reading.database, request);
  }

  /** A page of the rooms in a space: the answer of `/hierarchy`. */
  hierarchy(request: HierarchyRequest): Promise<HierarchyPage> {
    return spaceHierarchy(this.#reading, request);
  }

  /** A room in short: the answer of `/room_summary`. */
  summary(request: RoomSummaryRequest): Promise<ViewedPreview> {
    return roomSummary(this.#reading, request);
  }

  /** @throws M_FORBIDDEN where the user isn't in the room */
  async assertJoined(roomId: RoomId, userId: UserId): Promise<void> {
    await this.#reading.database.read((tx) => getJoinedRoom(tx, roomId, userId));
  }

  /** The users who are in a room. */
  async joinedUsers(tx: ReadTx, roomId: RoomId): Promise<readonly UserId[]> {
    const room = await findRoom(tx, roomId);
    if (room === undefined) return [];
    return (await listMembersBy(tx, room.room_nid, 'join')).map((row) => row.user_id);
  }
}
