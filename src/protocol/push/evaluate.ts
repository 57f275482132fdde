/**
 * Which rule an event meets, and what it makes of it.
 * Spec: client-server-api/#push-rules
 */
import type { Event } from '../event/index.ts';
import { parseUserId, type UserId } from '../ids/index.ts';
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, readString, readValue } from '../json/index.ts';
import { bodyHas, conditionHolds, type PushContext, type Spending } from './conditions.ts';
import { type AddedRules, defaultPushRules, NO_ADDED_RULES } from './default-rules.ts';
import { eventProperty } from './property-path.ts';
import { PUSH_RULE_KINDS, type PushRule, type PushRuleKind, type PushRuleset } from './types.ts';

/** What becomes of an event for one user. */
export interface PushVerdict {
  readonly notify: boolean;
  /** Only ever with `notify`. */
  readonly highlight: boolean;
  readonly sound?: string;
  /** What goes to the push gateway, `sound` and `highlight` among them. */
  readonly tweaks: JsonObject;
  /** The rule that matched; undefined where none did. */
  readonly ruleId: string | undefined;
}

const NOTHING: PushVerdict = { notify: false, highlight: false, tweaks: {}, ruleId: undefined };

/**
 * Evaluates a user's rules: the first that is enabled and matches decides. A user's own events never notify.
 * Spec: client-server-api/#push-rules
 */
export function evaluatePush(ruleset: PushRuleset, event: Event, context: PushContext): PushVerdict {
  if (event.sender === context.userId) return NOTHING;
  const spending: Spending = { cost: 0 };
  for (const kind of PUSH_RULE_KINDS) {
    for (const rule of ruleset[kind]) {
      if (rule.enabled && MATCHES[kind](rule, event, context, spending)) return verdictOf(rule);
    }
  }
  return NOTHING;
}

/** Whether an enabled rule looks for the user's display name, which then has to be at hand. */
export function asksForDisplayName({ override, underride }: PushRuleset): boolean {
  return [...override, ...underride].some(
    ({ enabled, conditions = [] }) => enabled && conditions.some(({ kind }) => kind === 'contains_display_name'),
  );
}

type Matches = (rule: PushRule, event: Event, context: PushContext, spending: Spending) => boolean;

const MATCHES: Readonly<Record<PushRuleKind, Matches>> = {
  override: conditionsHold,
  content: ({ pattern }, event, _, spending) => typeof pattern === 'string' && bodyHas(pattern, event, spending),
  room: (rule, event) => rule.rule_id === event.roomId,
  sender: (rule, event) => rule.rule_id === event.sender,
  underride: conditionsHold,
};

function conditionsHold(rule: PushRule, event: Event, context: PushContext, spending: Spending): boolean {
  return (rule.conditions ?? []).every((condition) => conditionHolds(condition, event, context, spending));
}

/** Unknown actions, `dont_notify` and `coalesce` among them, are ignored. Spec: client-server-api/#historical-actions */
function verdictOf(rule: PushRule): PushVerdict {
  const notify = rule.actions.includes('notify');
  const tweaks: Record<string, JsonValue> = {};
  for (const action of rule.actions) {
    const name = isJsonObject(action) ? readString(action, 'set_tweak') : undefined;
    if (name === undefined || name === '__proto__' || !isJsonObject(action)) continue;
    const value = readValue(action, 'value') ?? (name === 'highlight' ? true : undefined);
    if (value !== undefined) tweaks[name] = value;
  }
  const { sound } = tweaks;
  return {
    notify,
    highlight: notify && tweaks.highlight === true,
    ...(typeof sound === 'string' ? { sound } : {}),
    tweaks,
    ruleId: rule.rule_id,
  };
}

/** The outcome of the default rules for everybody at once. */
export interface DefaultPushVerdicts {
  /** For all who aren't in `particular`; for the sender it is always none. */
  readonly others: PushVerdict;
  /** For users whom the event names: mentioned or invited. */
  readonly particular: ReadonlyMap<UserId, PushVerdict>;
}

/** A user whom no event names: the historical grammar allows an empty localpart, no server gives one. */
const NOBODY = parseUserId('@:nobody.invalid') as UserId;
const RULES_OF_NOBODY = defaultPushRules(NOBODY);
const ALL_RULES_OF_NOBODY = defaultPushRules(NOBODY, { encryptedEvents: true });

function rulesOfNobody({ encryptedEvents }: AddedRules): PushRuleset {
  return encryptedEvents ? ALL_RULES_OF_NOBODY : RULES_OF_NOBODY;
}

/**
 * Evaluates the default rules once for all users who have no others: only who is mentioned or invited can differ. The
 * users named need not be members.
 * Spec: client-server-api/#predefined-rules
 */
export function evaluateDefaultPush(
  event: Event,
  context: Omit<PushContext, 'userId'>,
  added: AddedRules = NO_ADDED_RULES,
): DefaultPushVerdicts {
  const particular = new Map<UserId, PushVerdict>();
  for (const userId of usersNamedBy(event)) {
    particular.set(userId, evaluatePush(defaultPushRules(userId, added), event, { ...context, userId }));
  }
  return { others: evaluatePush(rulesOfNobody(added), event, { ...context, userId: NOBODY }), particular };
}

function usersNamedBy(event: Event): ReadonlySet<UserId> {
  const mentions = eventProperty(event, 'content.m\\.mentions.user_ids');
  const texts = isJsonArray(mentions) ? mentions : [];
  const named = new Set<UserId>();
  for (const text of event.type === 'm.room.member' ? [...texts, event.stateKey ?? ''] : texts) {
    const userId = typeof text === 'string' ? parseUserId(text) : undefined;
    if (userId !== undefined && userId !== event.sender) named.add(userId);
  }
  return named;
}
