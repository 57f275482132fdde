import type { Event } from '../event/index.ts';
import { type JsonObject, readArray, readObject, readString } from '../json/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';
import type { AuthState } from './auth-state.ts';
import { readPowerLevel } from './power-level-value.ts';

const NOTHING: JsonObject = Object.freeze({});

/**
 * Who may do what in a room, with every default filled in. A value that isn't a level counts as absent.
 * Spec: client-server-api/#mroompower_levels
 */
export interface PowerLevels {
  /** A user's level; `Infinity` for the creators of a room of version 12. */
  users(userId: string): number;
  /** The level needed to send events of this type (memberships have their own: `invite`, `kick`, `ban`). */
  event(type: string, isState: boolean): number;
  /** The level needed to notify everybody, as by the key `room`. */
  notifications(key: string): number;
  readonly invite: number;
  readonly kick: number;
  readonly ban: number;
  readonly redact: number;
}

/** The power levels that hold in `state`. Reads two events and copies nothing. */
export function powerLevels(state: AuthState, rules: RoomVersionRules): PowerLevels {
  return new RoomPowerLevels(state.get('m.room.power_levels', ''), state.get('m.room.create', ''), rules);
}

/**
 * The creators of a room: its creator, and in room version 12 the `additional_creators` too.
 * Spec: rooms/v12/#authorisation-rules, rooms/v11/#remove-the-creator-property-of-mroomcreate-events
 */
export function roomCreators(create: Event): readonly string[] {
  const { rules } = create;
  const first = rules.creatorFromSender ? create.sender : readString(create.content, 'creator');
  const creators: string[] = first === undefined ? [] : [first];
  if (rules.privilegedCreators) {
    for (const other of readArray(create.content, 'additional_creators') ?? []) {
      if (typeof other === 'string') creators.push(other);
    }
  }
  return creators;
}

class RoomPowerLevels implements PowerLevels {
  private readonly rules: RoomVersionRules;
  private readonly content: JsonObject;
  private readonly userLevels: JsonObject;
  private readonly eventLevels: JsonObject;
  private readonly creators: readonly string[];
  private readonly hasEvent: boolean;

  constructor(levels: Event | undefined, create: Event | undefined, rules: RoomVersionRules) {
    this.rules = rules;
    this.hasEvent = levels !== undefined;
    this.content = levels?.content ?? NOTHING;
    this.userLevels = readObject(this.content, 'users') ?? NOTHING;
    this.eventLevels = readObject(this.content, 'events') ?? NOTHING;
    this.creators = create === undefined ? [] : roomCreators(create);
  }

  users(userId: string): number {
    if (this.rules.privilegedCreators) {
      if (this.creators.includes(userId)) return Number.POSITIVE_INFINITY;
    } else if (!this.hasEvent) {
      return this.creators.includes(userId) ? 100 : 0;
    }
    return readPowerLevel(this.userLevels, userId, this.rules) ?? this.named('users_default', 0);
  }

  event(type: string, isState: boolean): number {
    const own = readPowerLevel(this.eventLevels, type, this.rules);
    return own ?? (isState ? this.named('state_default', 50) : this.named('events_default', 0));
  }

  notifications(key: string): number {
    const levels = readObject(this.content, 'notifications') ?? NOTHING;
    return readPowerLevel(levels, key, this.rules) ?? 50;
  }

  get invite(): number {
    return this.named('invite', 0);
  }

  get kick(): number {
    return this.named('kick', 50);
  }

  get ban(): number {
    return this.named('ban', 50);
  }

  get redact(): number {
    return this.named('redact', 50);
  }

  private named(key: string, whereAbsent: number): number {
    return readPowerLevel(this.content, key, this.rules) ?? whereAbsent;
  }
}
