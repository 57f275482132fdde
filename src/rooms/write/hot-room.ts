import {
  type AuthEventsDraft,
  type AuthState,
  type PowerLevels,
  powerLevels,
  roomCreators,
  selectAuthEvents,
} from '../../protocol/auth/index.ts';
import {
  type Event,
  POLICY_TYPE,
  type PolicyServer,
  PREV_EVENTS_MAX,
  policyServerOf,
} from '../../protocol/event/index.ts';
import { type EventId, parseRoomId, type RoomId, type ServerName, type UserId } from '../../protocol/ids/index.ts';
import { readObject, readString } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import type { RoomSnapshot, StateView } from '../snapshot.ts';
import type { Membership, RoomDigest } from '../store/index.ts';
import { EMPTY_DIGEST } from './digest.ts';
import { Overlay } from './overlay.ts';
import type { Batch, StateAt } from './pending.ts';
import { RoomMembers } from './room-members.ts';

/** A state event of a hot room. `nid` is 0 until it is written, `event` undefined until somebody needs it. */
export interface StateEntry {
  readonly type: string;
  readonly stateKey: string;
  readonly eventId: EventId;
  nid: number;
  event: Event | undefined;
}

/** An event without successor. */
export interface Extremity {
  readonly eventId: EventId;
  readonly depth: number;
  /** 0 until it is written. */
  nid: number;
  /** Reference hash; room versions 1 and 2 only. */
  readonly hash: string | undefined;
}

/** The end of a branch: the state before and after it, and what the authorization rules were given of that so far. */
export interface Branch {
  readonly before: StateAt;
  /** By state key; undefined: there is none. */
  readonly auth: ReadonlyMap<string, Event | undefined>;
}

/** What a room's state must be loaded for: thrown by reads of a hot room, caught by the writer, which loads and tries again. */
export class StateNotLoaded extends Error {
  readonly entries: readonly StateEntry[];

  constructor(entries: readonly StateEntry[]) {
    super('state events must be loaded first');
    this.entries = entries;
  }
}

/** Somebody has the room for himself for a moment: thrown and caught as `StateNotLoaded` is. */
export class RoomIsHeld extends Error {
  readonly until: Promise<void>;

  constructor(until: Promise<void>) {
    super('somebody has the room for himself');
    this.until = until;
  }
}

/** What follows the state, as of one moment. */
export interface RoomFigures {
  readonly joinedCount: number;
  readonly invitedCount: number;
  readonly digest: RoomDigest;
}

const NO_FIGURES: RoomFigures = { joinedCount: 0, invitedCount: 0, digest: EMPTY_DIGEST };

/**
 * A room in memory. Its owner, the RoomWriter, advances it as soon as an event passes; a commit later confirms that. If a
 * commit fails, the room is marked as failed and loaded anew.
 */
export class HotRoom {
  readonly roomId: RoomId;
  readonly rules: RoomVersionRules;
  /** 0 while the room is being created. */
  roomNid: number;
  readonly state = new Overlay<string, StateEntry>();
  readonly members = new RoomMembers();
  /** With the events that aren't committed yet. */
  extremities: readonly Extremity[] = [];
  /** Messages of other servers that are extremities, where that isn't simply the current state's end. */
  readonly branches = new Map<EventId, Branch>();
  figures: RoomFigures = NO_FIGURES;
  /** As of the last commit. */
  committed: { figures: RoomFigures; stateRoot: number; lastPosition: number; extremities: readonly Extremity[] };
  /** As of the last job that ran, be it committed or not. */
  written: { stateRoot: number; rowVersion: number };
  /** The batch that takes in further events; undefined while none waits. */
  openBatch: Batch | undefined;
  /** Settles with the latest batch. */
  latestWrite: Promise<void> | undefined;
  hasFailed = false;
  /** Settles when the room may be written to again; undefined while it may be. */
  held: Promise<void> | undefined;
  #power:
    | { readonly levels: PowerLevels; readonly from: StateEntry | undefined; readonly create: StateEntry | undefined }
    | undefined;

  constructor(
    roomId: RoomId,
    rules: RoomVersionRules,
    stored: { roomNid: number; stateRoot: number; rowVersion: number },
  ) {
    this.roomId = roomId;
    this.rules = rules;
    this.roomNid = stored.roomNid;
    this.written = { stateRoot: stored.stateRoot, rowVersion: stored.rowVersion };
    this.committed = { figures: NO_FIGURES, stateRoot: stored.stateRoot, lastPosition: 0, extremities: [] };
  }

  /** The current state, for the authorization rules. @throws StateNotLoaded */
  readonly auth: AuthState = { get: (type, stateKey) => this.stateEvent(type, stateKey) };

  entry(type: string, stateKey: string): StateEntry | undefined {
    return this.state.get(`${type}\0${stateKey}`);
  }

  /** A current state event. @throws StateNotLoaded */
  stateEvent(type: string, stateKey: string): Event | undefined {
    const entry = this.entry(type, stateKey);
    if (entry !== undefined && entry.event === undefined) throw new StateNotLoaded([entry]);
    return entry?.event;
  }

  /** The names that members have in the room; those without one are missing. @throws StateNotLoaded for all of them at once */
  displayNames(userIds: readonly UserId[]): ReadonlyMap<UserId, string> {
    const entries = userIds.flatMap((userId) => this.entry('m.room.member', userId) ?? []);
    const missing = entries.filter(({ event }) => event === undefined);
    if (missing.length > 0) throw new StateNotLoaded(missing);
    const names = new Map<UserId, string>();
    for (const userId of userIds) {
      const name = readString(this.stateEvent('m.room.member', userId)?.content ?? {}, 'displayname');
      if (name !== undefined) names.set(userId, name);
    }
    return names;
  }

  /** The power levels that hold now. @throws StateNotLoaded */
  power(): PowerLevels {
    const from = this.entry('m.room.power_levels', '');
    const create = this.entry('m.room.create', '');
    if (this.#power === undefined || this.#power.from !== from || this.#power.create !== create) {
      this.#power = { levels: powerLevels(this.auth, this.rules), from, create };
    }
    return this.#power.levels;
  }

  /** The users with a power level of their own and the creators. @throws StateNotLoaded */
  usersWithPower(): readonly string[] {
    const create = this.stateEvent('m.room.create', '');
    const levels = this.stateEvent('m.room.power_levels', '');
    const named = Object.keys((levels && readObject(levels.content, 'users')) ?? {});
    return create === undefined ? named : [...roomCreators(create), ...named];
  }

  /** The room that this one replaces. @throws StateNotLoaded */
  predecessor(): RoomId | undefined {
    const create = this.stateEvent('m.room.create', '');
    const predecessor = create && readObject(create.content, 'predecessor');
    return parseRoomId((predecessor && readString(predecessor, 'room_id')) ?? '');
  }

  membership(userId: UserId): Membership | undefined {
    return this.members.get(userId)?.membership;
  }

  /** Whether a user of this server is in the room, so that we follow it. */
  isResident(serverName: ServerName): boolean {
    return this.members.joinedOf(serverName) > 0;
  }

  /**
   * The policy server that the room uses now. Spec: server-server-api/#determining-if-a-policy-server-is-enabled-in-a-room
   * @throws StateNotLoaded
   */
  policyServer(): PolicyServer | undefined {
    if (this.entry(POLICY_TYPE, '') === undefined) return undefined;
    const policy = policyServerOf(this.stateEvent(POLICY_TYPE, '')?.content ?? {});
    return policy !== undefined && this.isResident(policy.via) ? policy : undefined;
  }

  isJoined(userId: UserId): boolean {
    return this.membership(userId) === 'join';
  }

  /** The ids of what an event of this room must name as its auth events now. */
  authEntryIds(draft: AuthEventsDraft): readonly EventId[] {
    return selectAuthEvents(draft, this.rules).flatMap(([type, stateKey]) => this.entry(type, stateKey)?.eventId ?? []);
  }

  /** The extremities that the next event follows: all, or the deepest where there are more than an event may have. */
  nextPrevEvents(): readonly Extremity[] {
    if (this.extremities.length <= PREV_EVENTS_MAX) return this.extremities;
    return [...this.extremities].sort((a, b) => b.depth - a.depth).slice(0, PREV_EVENTS_MAX);
  }

  /** How much memory it takes, in state events. */
  get size(): number {
    return this.state.committed.size + 16;
  }

  /** The committed room, for readers. */
  snapshot(): RoomSnapshot {
    const { members } = this;
    const { figures, stateRoot, lastPosition, extremities } = this.committed;
    return {
      roomId: this.roomId,
      roomNid: this.roomNid,
      rules: this.rules,
      stateRoot,
      lastPosition,
      joinedCount: figures.joinedCount,
      invitedCount: figures.invitedCount,
      digest: figures.digest,
      extremities: extremities.map((extremity) => extremity.eventId),
      state: committedState(this.state.committed),
      membershipOf: (userId) => members.committed.get(userId)?.membership,
      *members() {
        for (const [userId, { membership }] of members.committed) yield [userId, membership];
      },
    };
  }
}

function committedState(entries: ReadonlyMap<string, StateEntry>): StateView {
  return {
    get: (type, stateKey) => entries.get(`${type}\0${stateKey}`),
    *entries() {
      for (const entry of entries.values()) yield [entry.type, entry.stateKey, entry];
    },
  };
}
