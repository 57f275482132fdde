/** Push rules: the default ones, and what rules make of an event. */
export {
  adjustRule,
  changesOf,
  deleteRule,
  OWN_RULES_MAX,
  putRule,
  type RulePlace,
  type RuleProblem,
} from './changes.ts';
export type { NotificationLevels, PushContext } from './conditions.ts';
export {
  type AddedRules,
  defaultPushRules,
  ENCRYPTED_EVENT_RULE_ID,
  MASTER_RULE_ID,
  NO_ADDED_RULES,
  type PushRuleChanges,
  pushRules,
} from './default-rules.ts';
export {
  asksForDisplayName,
  type DefaultPushVerdicts,
  evaluateDefaultPush,
  evaluatePush,
  type PushVerdict,
} from './evaluate.ts';
export { splitPropertyPath } from './property-path.ts';
export {
  PUSH_RULE_KINDS,
  type PushAction,
  type PushCondition,
  type PushRule,
  type PushRuleKind,
  type PushRuleset,
} from './types.ts';
