import { ROOM_VERSIONS, type RoomVersionRules } from '../room-versions/index.ts';
import { createRules } from './create-rules.ts';
import { memberRules } from './member-rules.ts';
import { powerLevelsRules } from './power-levels-rules.ts';
import { aliasesRules, federateRule, roomIdRule } from './room-rules.ts';
import { compileRules, type Rule, type RuleBook } from './rule.ts';
import { levelRule, ownStateRule, redactionRules, senderRule, thirdPartyInviteRule } from './send-rules.ts';
import type { Subject } from './subject.ts';

/** The place of the rules about the entries of `auth_events`, which `checkAuthEvents` runs. */
export const AUTH_EVENTS = 'auth_events';

/**
 * The authorization rules of all room versions in the specification's order, so that places are its numbers. They are
 * run for every event, but those with a type only for theirs.
 * Spec: "Authorisation rules" of each room version, rooms/v1/#authorisation-rules to rooms/v12/#authorisation-rules
 */
const AUTH_RULES: readonly Rule<Subject>[] = [
  createRules,
  roomIdRule,
  { name: AUTH_EVENTS, rules: [] },
  federateRule,
  aliasesRules,
  memberRules,
  senderRule,
  thirdPartyInviteRule,
  levelRule,
  ownStateRule,
  powerLevelsRules,
  redactionRules,
  { name: 'any other event', check: () => 'allow' },
];

const BOOKS: ReadonlyMap<RoomVersionRules, RuleBook<Subject>> = new Map(
  ROOM_VERSIONS.map((rules) => [rules, compileRules(AUTH_RULES, rules)]),
);

/** The rules of a room version, ready to run. */
export function ruleBookOf(rules: RoomVersionRules): RuleBook<Subject> {
  return BOOKS.get(rules) ?? compileRules(AUTH_RULES, rules);
}
