import { parseUserId } from '../ids/index.ts';
import { isJsonObject, type JsonObject, readObject, readValue } from '../json/index.ts';
import { parsePowerLevel } from './power-level-value.ts';
import { roomCreators } from './power-levels.ts';
import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

const NAMED_LEVELS = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'] as const;
const NOTHING: JsonObject = Object.freeze({});

/**
 * `m.room.power_levels`: nobody raises anything above the own level, nor lowers what stands above it.
 * Spec: rooms/v1/#authorisation-rules, rule 10, to rooms/v12/#authorisation-rules, rule 10
 */
export const powerLevelsRules: Rule<Subject> = {
  name: 'm.room.power_levels',
  type: 'm.room.power_levels',
  rules: [
    { name: 'a level is not an integer', versions: (v) => v.integerPowerLevels, check: namedLevelsAreIntegers },
    { name: 'events or notifications are not levels', versions: (v) => v.integerPowerLevels, check: mapsAreOfIntegers },
    { name: 'users are not levels of users', check: usersAreLevelsOfUsers },
    { name: 'users contain a creator', versions: (v) => v.privilegedCreators, check: usersSpareCreators },
    { name: 'first power levels', check: ({ state }) => (state.get('m.room.power_levels', '') ? 'next' : 'allow') },
    { name: 'changes a level beyond the own', check: namedLevelsStayBelow },
    { name: 'changes a level of an event beyond the own', check: (subject) => currentMapsStayBelow(subject) },
    { name: 'sets a level of an event beyond the own', check: (subject) => newMapsStayBelow(subject) },
    { name: 'changes a user of the own level or above', check: otherUsersStayBelow },
    { name: 'sets a user above the own level', check: newUsersStayBelow },
    { name: 'any other power levels', check: () => 'allow' },
  ],
};

/** One entry that differs between the power levels in the state and the new ones; undefined where it is absent. */
interface Change {
  readonly key: string;
  readonly current: number | undefined;
  readonly next: number | undefined;
  /** It is there, but isn't a level. Only before room version 10, whose rules look at the form of all of them. */
  readonly isMalformed: boolean;
}

function namedLevelsAreIntegers({ event, rules }: Subject): Outcome {
  const wrong = NAMED_LEVELS.find((key) => isMalformed(event.content, key, (value) => parsePowerLevel(value, rules)));
  return wrong === undefined ? 'next' : refuse(wrong);
}

function mapsAreOfIntegers({ event, rules }: Subject): Outcome {
  for (const name of ['events', 'notifications']) {
    const map = readValue(event.content, name);
    if (map === undefined) continue;
    if (!isJsonObject(map)) return refuse(`${name} is not an object`);
    const wrong = Object.keys(map).find((key) => parsePowerLevel(map[key], rules) === undefined);
    if (wrong !== undefined) return refuse(`${name}: ${wrong}`);
  }
  return 'next';
}

function usersAreLevelsOfUsers({ event, rules }: Subject): Outcome {
  const users = readValue(event.content, 'users');
  if (users === undefined) return 'next';
  if (!isJsonObject(users)) return refuse('users is not an object');
  for (const [userId, level] of Object.entries(users)) {
    if (parseUserId(userId) === undefined) return refuse(`${userId} is not a user id`);
    if (parsePowerLevel(level, rules) === undefined) return refuse(`the level of ${userId} is not an integer`);
  }
  return 'next';
}

function usersSpareCreators({ event, create }: Subject): Outcome {
  const users = readObject(event.content, 'users') ?? NOTHING;
  const creator = create && roomCreators(create).find((userId) => Object.hasOwn(users, userId));
  return creator === undefined ? 'next' : refuse(creator);
}

/** An absent level is not compared, although a default stands in for it: only what is written down counts. */
function namedLevelsStayBelow(subject: Subject): Outcome {
  const { event, senderLevel } = subject;
  for (const change of changesOf(currentContent(subject), event.content, NAMED_LEVELS, subject)) {
    if (change.isMalformed) return refuse(`${change.key} is not an integer`);
    if ((change.current ?? senderLevel) > senderLevel) return refuse(describe(change, subject), 1);
    if ((change.next ?? senderLevel) > senderLevel) return refuse(describe(change, subject), 2);
  }
  return 'next';
}

function currentMapsStayBelow(subject: Subject): Outcome {
  for (const change of eventChanges(subject)) {
    if ((change.current ?? subject.senderLevel) > subject.senderLevel) return refuse(describe(change, subject), 1);
  }
  return 'next';
}

function newMapsStayBelow(subject: Subject): Outcome {
  for (const change of eventChanges(subject)) {
    if (change.isMalformed) return refuse(`${change.key} is not an integer`);
    if ((change.next ?? subject.senderLevel) > subject.senderLevel) return refuse(describe(change, subject), 1);
  }
  return 'next';
}

function otherUsersStayBelow(subject: Subject): Outcome {
  for (const change of mapChanges('users', subject)) {
    if (change.current === undefined || change.key === subject.event.sender) continue;
    if (change.current >= subject.senderLevel) return refuse(describe(change, subject), 1);
  }
  return 'next';
}

function newUsersStayBelow(subject: Subject): Outcome {
  for (const change of mapChanges('users', subject)) {
    if ((change.next ?? subject.senderLevel) > subject.senderLevel) return refuse(describe(change, subject), 1);
  }
  return 'next';
}

/** Since room version 6 `notifications` are judged as `events` are. */
function eventChanges(subject: Subject): readonly Change[] {
  const events = mapChanges('events', subject);
  return subject.rules.notificationsPowerLevels ? [...events, ...mapChanges('notifications', subject)] : events;
}

function mapChanges(name: string, subject: Subject): readonly Change[] {
  const current = readObject(currentContent(subject), name) ?? NOTHING;
  const next = readObject(subject.event.content, name) ?? NOTHING;
  return changesOf(current, next, new Set([...Object.keys(current), ...Object.keys(next)]), subject);
}

function changesOf(
  current: JsonObject,
  next: JsonObject,
  keys: Iterable<string>,
  { rules }: Subject,
): readonly Change[] {
  const changes: Change[] = [];
  for (const key of keys) {
    const before = parsePowerLevel(readValue(current, key), rules);
    const after = parsePowerLevel(readValue(next, key), rules);
    const malformed = isMalformed(next, key, (value) => parsePowerLevel(value, rules));
    if (before !== after || malformed) changes.push({ key, current: before, next: after, isMalformed: malformed });
  }
  return changes;
}

function isMalformed(
  object: JsonObject,
  key: string,
  parse: (value: JsonObject[string]) => number | undefined,
): boolean {
  const value = readValue(object, key);
  return value !== undefined && parse(value) === undefined;
}

function currentContent({ state }: Subject): JsonObject {
  return state.get('m.room.power_levels', '')?.content ?? NOTHING;
}

function describe({ key, current, next }: Change, { event, senderLevel }: Subject): string {
  return `${event.sender} has ${senderLevel}: ${key} from ${current ?? 'nothing'} to ${next ?? 'nothing'}`;
}
