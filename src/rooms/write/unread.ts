import type { PowerLevels } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import {
  type AddedRules,
  evaluateDefaultPush,
  evaluatePush,
  NO_ADDED_RULES,
  type PushRuleset,
  type PushVerdict,
} from '../../protocol/push/index.ts';
import { UNREAD, type Unread } from '../store/index.ts';

/** A user whose push rules aren't the default ones. */
export interface OwnPushRules {
  readonly userId: UserId;
  readonly rules: PushRuleset;
  /** Whether one of them looks for the user's display name. */
  readonly asksForName: boolean;
}

/** Knows, from memory, who has push rules of their own. Whoever keeps push rules implements it. */
export interface PushRuleSource {
  /** What this server adds to the default rules of everybody. */
  readonly added: AddedRules;
  /** The joined users who have own rules. Called for each event: it must cost little where the room is small or they are few. */
  usersWithOwnRules(joined: JoinedUsers): Iterable<OwnPushRules>;
}

/** Who is joined to a room. */
export interface JoinedUsers {
  readonly joinedCount: number;
  isJoined(userId: UserId): boolean;
  /** All of them, for small rooms. */
  joinedUsers(): Iterable<UserId>;
}

/** Nobody has own rules. */
export const DEFAULT_RULES_ONLY: PushRuleSource = { added: NO_ADDED_RULES, usersWithOwnRules: () => [] };

/** A row of `notifications`: what an event does to one user's counts where that isn't what `unread` says. */
export interface UserNotification {
  readonly userId: UserId;
  readonly notify: boolean;
  readonly highlight: boolean;
  /** The tweaks as JSON where own rules made them; null for the default rules. */
  readonly actions: string | null;
}

/** What the rules see of the room. */
export interface Audience extends JoinedUsers {
  readonly power: PowerLevels;
  isLocal(userId: UserId): boolean;
  /** The names of members in the room, of those who have one. @throws StateNotLoaded */
  displayNames(userIds: readonly UserId[]): ReadonlyMap<UserId, string>;
}

export interface UnreadVerdict {
  readonly unread: Unread;
  readonly notifications: readonly UserNotification[];
}

const NO_NOTIFICATIONS: readonly UserNotification[] = [];
const NO_NAMES: ReadonlyMap<UserId, string> = new Map();

/**
 * Judges an event once for the whole room: `unread` for everybody, and a row for each user for whom it is something else.
 * Spec: client-server-api/#push-rules
 * @throws StateNotLoaded
 */
export function judgeUnread(event: Event, audience: Audience, own: PushRuleSource): UnreadVerdict {
  const context = { memberCount: audience.joinedCount, powerLevels: audience.power };
  const { others, particular } = evaluateDefaultPush(event, context, own.added);
  const unread = unreadOf(others);
  let rows: Map<UserId, UserNotification> | undefined;
  for (const [userId, verdict] of particular) {
    if (unreadOf(verdict) === unread || !audience.isLocal(userId) || !audience.isJoined(userId)) continue;
    rows ??= new Map();
    rows.set(userId, { userId, notify: verdict.notify, highlight: verdict.highlight, actions: null });
  }
  const owners = [...own.usersWithOwnRules(audience)].filter(({ userId }) => userId !== event.sender);
  const asking = owners.filter(({ asksForName }) => asksForName).map(({ userId }) => userId);
  const names = asking.length === 0 ? NO_NAMES : audience.displayNames(asking);
  for (const { userId, rules } of owners) {
    const verdict = evaluatePush(rules, event, { ...context, userId, displayName: names.get(userId) });
    rows ??= new Map();
    const { notify, highlight } = verdict;
    if (unreadOf(verdict) === unread) rows.delete(userId);
    else rows.set(userId, { userId, notify, highlight, actions: notify ? JSON.stringify(verdict.tweaks) : null });
  }
  return { unread, notifications: rows === undefined ? NO_NOTIFICATIONS : [...rows.values()] };
}

function unreadOf(verdict: PushVerdict): Unread {
  if (!verdict.notify) return UNREAD.none;
  return verdict.highlight ? UNREAD.highlights : UNREAD.notifies;
}
