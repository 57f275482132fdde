/** What of a room's state its replacement gets. Spec: client-server-api/#server-behaviour-18 (room upgrades) */
import { roomCreators } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import { type JsonObject, type JsonValue, readObject, readString } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import { TOMBSTONE_LEVEL_V12 } from './room-presets.ts';

/** Moved as it is, under the empty state key. */
const MOVED_TYPES: ReadonlySet<string> = new Set([
  'm.room.server_acl',
  'm.room.encryption',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.guest_access',
  'm.room.history_visibility',
  'm.room.join_rules',
]);

/** Moved under whatever state key: where calls take place (MSC4143), by its names. */
const SLOT_TYPES: ReadonlySet<string> = new Set(['m.rtc.slot', 'org.matrix.msc4143.rtc.slot']);

/** Types whose events under a state key may be moved, and are looked at one by one. */
export const KEYED_TYPES: ReadonlySet<string> = new Set(['m.room.member', 'm.space.child', ...SLOT_TYPES]);

/** Whether a state event of a room goes over to its replacement. */
export function isMoved(event: Event): boolean {
  // An emptied slot is closed, an emptied child is none any more.
  if (SLOT_TYPES.has(event.type)) return Object.keys(event.content).length > 0;
  if (event.stateKey === '') return MOVED_TYPES.has(event.type);
  if (event.type === 'm.space.child') return Object.keys(event.content).length > 0;
  return event.type === 'm.room.member' && readString(event.content, 'membership') === 'ban';
}

/** The content of a moved state event in the new room. */
export function movedContent(event: Event, rules: RoomVersionRules): JsonObject {
  if (event.type === 'm.room.member') {
    const reason = readString(event.content, 'reason');
    return { membership: 'ban', ...(reason === undefined ? {} : { reason }) };
  }
  return event.type === 'm.room.join_rules' ? supportedJoinRule(event.content, rules) : event.content;
}

/** A join rule that the new version doesn't know would let nobody in. */
function supportedJoinRule(content: JsonObject, rules: RoomVersionRules): JsonObject {
  const joinRule = readString(content, 'join_rule');
  const isSupported =
    (joinRule !== 'knock' || rules.knocking) &&
    (joinRule !== 'restricted' || rules.restricted) &&
    (joinRule !== 'knock_restricted' || rules.knockRestricted);
  return isSupported ? content : { join_rule: 'invite' };
}

/** The content of the create event of the replacement, but for what the new version puts there. */
export function replacementCreation(create: Event | undefined, predecessor: JsonObject): JsonObject {
  const content: Record<string, JsonValue> = { predecessor };
  if (create?.content.type !== undefined) content.type = create.content.type;
  if (create?.content['m.federate'] !== undefined) content['m.federate'] = create.content['m.federate'];
  return content;
}

/**
 * The power levels of the old room as the new version wants them: integers; without creators since version 12, where replacing
 * the room takes more than any other state; with the one who upgrades where creators are no longer above the levels.
 */
export function movedPowerLevels(
  old: { readonly levels: JsonObject; readonly create: Event | undefined },
  rules: RoomVersionRules,
  creators: readonly string[],
  upgrader: UserId,
): JsonObject {
  const content = integers(old.levels);
  const users: Record<string, JsonValue> = { ...readObject(content, 'users') };
  if (rules.privilegedCreators) {
    for (const creator of creators) delete users[creator];
    const events = readObject(content, 'events') ?? {};
    const stateDefault = typeof content.state_default === 'number' ? content.state_default : 50;
    const before = events['m.room.tombstone'];
    const tombstone = Math.max(typeof before === 'number' ? before : 0, TOMBSTONE_LEVEL_V12, stateDefault + 1);
    return { ...content, users, events: { ...events, 'm.room.tombstone': tombstone } };
  }
  if (old.create?.rules.privilegedCreators === true) {
    const highest = Math.max(100, ...Object.values(users).filter((level) => typeof level === 'number'));
    for (const creator of [...roomCreators(old.create), upgrader]) users[creator] = highest;
  }
  return { ...content, users };
}

/** Levels were strings in old rooms, here and there. */
function integers(content: JsonObject): JsonObject {
  const whole: Record<string, JsonValue> = {};
  for (const [key, value] of Object.entries(content)) {
    const map = readObject(content, key);
    const level = typeof value === 'string' ? Number.parseInt(value, 10) : value;
    if (map !== undefined) whole[key] = integers(map);
    else if (typeof level !== 'number') whole[key] = value;
    else if (Number.isFinite(level)) whole[key] = Math.trunc(level);
  }
  return whole;
}

/** The old room's power levels, with which nobody but moderators talks or invites any more; undefined where they hold already. */
export function closedPowerLevels(levels: JsonObject): JsonObject | undefined {
  const usersDefault = typeof levels.users_default === 'number' ? levels.users_default : 0;
  const closed = Math.max(50, usersDefault + 1);
  const eventsDefault = typeof levels.events_default === 'number' ? levels.events_default : 0;
  const invite = typeof levels.invite === 'number' ? levels.invite : 0;
  if (eventsDefault >= closed && invite >= closed) return undefined;
  return { ...levels, events_default: Math.max(eventsDefault, closed), invite: Math.max(invite, closed) };
}
