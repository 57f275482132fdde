import type { PowerLevels } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import type { UserId } from '../../protocol/ids/index.ts';
import { evaluateDefaultPush, evaluatePush, type PushRuleset, type PushVerdict } from '../../protocol/push/index.ts';
import { UNREAD, type Unread } from '../store/index.ts';

/** A user whose push rules aren't the default ones. */
export interface OwnPushRules {
  readonly userId: UserId;
  readonly rules: PushRuleset;
  /** The user's display name, for rules that look for it. */
  readonly displayName?: string;
}

/** Knows, from memory, who has push rules of their own. Whoever keeps push rules implements it. */
export interface PushRuleSource {
  /** The users with own rules for whom `isMember` is true. Called for each event: it must cost little if there are few. */
  usersWithOwnRules(isMember: (userId: UserId) => boolean): Iterable<OwnPushRules>;
}

/** Nobody has own rules. */
export const DEFAULT_RULES_ONLY: PushRuleSource = { usersWithOwnRules: () => [] };

/** A row of `notifications`: what an event does to one user's counts where that isn't what `unread` says. */
export interface UserNotification {
  readonly userId: UserId;
  readonly notify: boolean;
  readonly highlight: boolean;
  /** The tweaks as JSON where own rules made them; null for the default rules. */
  readonly actions: string | null;
}

/** What the rules see of the room. */
export interface Audience {
  readonly joinedCount: number;
  readonly power: PowerLevels;
  isJoined(userId: UserId): boolean;
  isLocal(userId: UserId): boolean;
}

export interface UnreadVerdict {
  readonly unread: Unread;
  readonly notifications: readonly UserNotification[];
}

const NO_NOTIFICATIONS: readonly UserNotification[] = [];

/**
 * Judges an event once for the whole room: `unread` for everybody, and a row for each user for whom it is something else.
 * Spec: client-server-api/#push-rules
 */
export function judgeUnread(event: Event, audience: Audience, own: PushRuleSource): UnreadVerdict {
  const context = { memberCount: audience.joinedCount, powerLevels: audience.power };
  const { others, particular } = evaluateDefaultPush(event, context);
  const unread = unreadOf(others);
  let rows: Map<UserId, UserNotification> | undefined;
  for (const [userId, verdict] of particular) {
    if (unreadOf(verdict) === unread || !audience.isLocal(userId) || !audience.isJoined(userId)) continue;
    rows ??= new Map();
    rows.set(userId, { userId, notify: verdict.notify, highlight: verdict.highlight, actions: null });
  }
  for (const { userId, rules, displayName } of own.usersWithOwnRules((user) => audience.isJoined(user))) {
    if (userId === event.sender) continue;
    const verdict = evaluatePush(rules, event, { ...context, userId, displayName });
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
