/**
 * The conditions of push rules, one function each.
 * Spec: client-server-api/#conditions-1
 */
import type { Event } from '../event/index.ts';
import type { UserId } from '../ids/index.ts';
import { isJsonArray, type JsonValue } from '../json/index.ts';
import { containsWords, globMatches, globMatchesWords, matchCost } from './glob.ts';
import { eventProperty } from './property-path.ts';
import type { PushCondition } from './types.ts';

/** What conditions ask about beside the event. `powerLevels` of the protocol's `auth/` fits. */
export interface PushContext {
  /** Whose rules are evaluated. */
  readonly userId: UserId;
  /** The user's display name in the room. */
  readonly displayName?: string | undefined;
  /** The number of joined members. */
  readonly memberCount: number;
  readonly powerLevels: NotificationLevels;
}

/**
 * What the patterns of one user may cost on one event: rules are evaluated while the event is sent, and everybody waits.
 * Ordinary rules need a hundredth of it; beyond it patterns don't match any more.
 */
export const PATTERN_COST_MAX = 4_000_000;

/** What has been spent of it. */
export interface Spending {
  cost: number;
}

/** The power levels that notifications need. */
export interface NotificationLevels {
  /** The level of a user. */
  users(userId: UserId): number;
  /** The level that a sender needs to notify everybody under this key, such as `room`. */
  notifications(key: string): number;
}

type Condition = (condition: PushCondition, event: Event, context: PushContext, spending: Spending) => boolean;

const CONDITIONS: ReadonlyMap<string, Condition> = new Map<string, Condition>([
  ['event_match', eventMatch],
  ['event_property_is', eventPropertyIs],
  ['event_property_contains', eventPropertyContains],
  ['contains_display_name', containsDisplayName],
  ['room_member_count', roomMemberCount],
  ['sender_notification_permission', senderNotificationPermission],
]);

/** Whether the condition holds; one of an unknown kind never does. */
export function conditionHolds(
  condition: PushCondition,
  event: Event,
  context: PushContext,
  spending: Spending,
): boolean {
  return CONDITIONS.get(condition.kind)?.(condition, event, context, spending) ?? false;
}

/** Whether the pattern matches words of the event's body. */
export function bodyHas(pattern: string, event: Event, spending: Spending): boolean {
  const body = eventProperty(event, 'content.body');
  return typeof body === 'string' && isAffordable(pattern, body, spending) && globMatchesWords(pattern, body);
}

function isAffordable(pattern: string, text: string, spending: Spending): boolean {
  spending.cost += matchCost(pattern, text);
  return spending.cost <= PATTERN_COST_MAX;
}

function eventMatch({ key, pattern }: PushCondition, event: Event, _: PushContext, spending: Spending): boolean {
  if (typeof key !== 'string' || typeof pattern !== 'string') return false;
  if (key === 'content.body') return bodyHas(pattern, event, spending);
  const value = eventProperty(event, key);
  return typeof value === 'string' && isAffordable(pattern, value, spending) && globMatches(pattern, value);
}

function eventPropertyIs({ key, value }: PushCondition, event: Event): boolean {
  return typeof key === 'string' && isScalar(value) && eventProperty(event, key) === value;
}

function eventPropertyContains({ key, value }: PushCondition, event: Event): boolean {
  if (typeof key !== 'string' || !isScalar(value)) return false;
  const array = eventProperty(event, key);
  return isJsonArray(array) && array.includes(value);
}

/** A string, integer, boolean or null. */
function isScalar(value: JsonValue | undefined): value is null | boolean | number | string {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return value === null || typeof value === 'boolean' || typeof value === 'string';
}

function containsDisplayName(_condition: PushCondition, event: Event, { displayName }: PushContext): boolean {
  if (displayName === undefined || displayName.length > DISPLAY_NAME_UNITS_MAX) return false;
  const body = eventProperty(event, 'content.body');
  return typeof body === 'string' && containsWords(body, displayName);
}

/** Nobody writes a longer name out; members can give themselves names of any length. */
const DISPLAY_NAME_UNITS_MAX = 1024;

const MEMBER_COUNT = /^(==|<=|>=|<|>)?([0-9]{1,15})$/;

function roomMemberCount({ is }: PushCondition, _event: Event, { memberCount }: PushContext): boolean {
  const parts = typeof is === 'string' ? MEMBER_COUNT.exec(is) : null;
  if (parts === null) return false;
  const count = Number(parts[2]);
  switch (parts[1]) {
    case '<':
      return memberCount < count;
    case '<=':
      return memberCount <= count;
    case '>':
      return memberCount > count;
    case '>=':
      return memberCount >= count;
    default:
      return memberCount === count;
  }
}

function senderNotificationPermission({ key }: PushCondition, event: Event, { powerLevels }: PushContext): boolean {
  return typeof key === 'string' && powerLevels.users(event.sender) >= powerLevels.notifications(key);
}
