/**
 * What users change of their push rules, as pure functions from changes to changes.
 * Spec: client-server-api/#push-rules-api
 */

import type { UserId } from '../ids/index.ts';
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, readObject } from '../json/index.ts';
import { defaultPushRules, NO_ADDED_RULES, type PushRuleChanges } from './default-rules.ts';
import { PUSH_RULE_KINDS, type PushAction, type PushRule, type PushRuleKind } from './types.ts';

/** Beyond this a user gets no further rules: each is asked for every event. */
export const OWN_RULES_MAX = 1000;

/** Where a rule is to stand: right before or right after another own rule of its kind. */
export interface RulePlace {
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

/** Why a change can't be made. */
export type RuleProblem = 'no-such-rule' | 'no-such-place' | 'too-many';

/** What a user has changed, read from a whole ruleset as account data keeps it. What isn't a rule is passed over. */
export function changesOf(userId: UserId, content: JsonObject, added = NO_ADDED_RULES): PushRuleChanges {
  const global = readObject(content, 'global') ?? {};
  const own: Partial<Record<PushRuleKind, readonly PushRule[]>> = {};
  const defaults = new Map<string, Partial<Pick<PushRule, 'enabled' | 'actions'>>>();
  const predefined = defaultPushRules(userId, added);
  for (const kind of PUSH_RULE_KINDS) {
    const listed = global[kind];
    const rules = isJsonArray(listed) ? listed.filter(isPushRule) : [];
    own[kind] = rules.filter((rule) => !rule.default);
    for (const { rule_id: id, enabled, actions } of rules.filter((rule) => rule.default)) {
      const usual = predefined[kind].find((rule) => rule.rule_id === id);
      if (usual === undefined) continue;
      const hasOtherActions = JSON.stringify(usual.actions) !== JSON.stringify(actions);
      if (usual.enabled !== enabled || hasOtherActions) {
        defaults.set(id, { enabled, ...(hasOtherActions ? { actions } : {}) });
      }
    }
  }
  return { own, defaults };
}

function isPushRule(value: JsonValue): value is PushRule {
  return (
    isJsonObject(value) &&
    typeof value.rule_id === 'string' &&
    typeof value.default === 'boolean' &&
    typeof value.enabled === 'boolean' &&
    isJsonArray(value.actions)
  );
}

/** Adds an own rule, or replaces the one of the same id; a replaced one stays on or off and, without a place, where it is. */
export function putRule(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  rule: PushRule,
  { before, after }: RulePlace,
): PushRuleChanges | RuleProblem {
  const rules = changes.own[kind] ?? [];
  const known = rules.findIndex((one) => one.rule_id === rule.rule_id);
  const replaced = rules[known];
  const others = rules.filter((one) => one.rule_id !== rule.rule_id);
  if (replaced === undefined && countOwn(changes) >= OWN_RULES_MAX) return 'too-many';
  let index = Math.max(known, 0);
  const neighbour = before ?? after;
  if (neighbour !== undefined) {
    const found = others.findIndex((one) => one.rule_id === neighbour);
    if (found < 0) return 'no-such-place';
    index = before === undefined ? found + 1 : found;
  }
  const kept = { ...rule, enabled: replaced?.enabled ?? rule.enabled };
  return withOwn(changes, kind, others.toSpliced(index, 0, kept));
}

/** Takes an own rule away. */
export function deleteRule(
  changes: PushRuleChanges,
  kind: PushRuleKind,
  ruleId: string,
): PushRuleChanges | RuleProblem {
  const rules = changes.own[kind] ?? [];
  const rest = rules.filter((rule) => rule.rule_id !== ruleId);
  return rest.length === rules.length ? 'no-such-rule' : withOwn(changes, kind, rest);
}

/** Switches a rule on or off, or gives it other actions, be it an own or a default one. */
export function adjustRule(
  userId: UserId,
  changes: PushRuleChanges,
  kind: PushRuleKind,
  ruleId: string,
  adjustment: { readonly enabled?: boolean; readonly actions?: readonly PushAction[] },
  added = NO_ADDED_RULES,
): PushRuleChanges | RuleProblem {
  const rules = changes.own[kind] ?? [];
  if (rules.some((rule) => rule.rule_id === ruleId)) {
    const adjusted = rules.map((rule) => (rule.rule_id === ruleId ? { ...rule, ...adjustment } : rule));
    return withOwn(changes, kind, adjusted);
  }
  if (!defaultPushRules(userId, added)[kind].some((rule) => rule.rule_id === ruleId)) return 'no-such-rule';
  const defaults = new Map(changes.defaults);
  return { ...changes, defaults: defaults.set(ruleId, { ...defaults.get(ruleId), ...adjustment }) };
}

function withOwn(changes: PushRuleChanges, kind: PushRuleKind, rules: readonly PushRule[]): PushRuleChanges {
  return { ...changes, own: { ...changes.own, [kind]: rules } };
}

function countOwn({ own }: PushRuleChanges): number {
  return PUSH_RULE_KINDS.reduce((count, kind) => count + (own[kind]?.length ?? 0), 0);
}
