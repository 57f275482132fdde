import type { RoomVersionRules } from '../room-versions/index.ts';
import { ALLOWED, type Outcome, type Verdict } from './verdict.ts';

interface RuleBase<Subject> {
  /** What the rule is about, in a few words; a refusal shows it behind the number. */
  readonly name: string;
  /** The room versions that have the rule; all of them where it is left out. */
  readonly versions?: (rules: RoomVersionRules) => boolean;
  /** The rule is for events of this type only. */
  readonly type?: string;
  /** Whether the rule applies to this event. */
  readonly when?: (subject: Subject) => boolean;
}

/** One check. */
export interface CheckRule<Subject> extends RuleBase<Subject> {
  readonly check: (subject: Subject) => Outcome;
}

/** Rules below a common condition. Where none of them decides, the rule after the group goes on. */
export interface RuleGroup<Subject> extends RuleBase<Subject> {
  readonly rules: readonly Rule<Subject>[];
}

/** The specification's nested numbered list, as data: its numbers are the places in the list. */
export type Rule<Subject> = CheckRule<Subject> | RuleGroup<Subject>;

/** A rule ready to run: a verdict, or undefined where it doesn't decide. */
export type CompiledRule<Subject> = (subject: Subject) => Verdict | undefined;

/** The rules of one room version. */
export interface RuleBook<Subject> {
  /** Runs the rules in order; undefined where none of them decides. */
  run(type: string, subject: Subject): Verdict | undefined;
  /** The number of a rule of the top level. */
  numberOf(name: string): string;
}

/** Picks and numbers the rules of one room version. `prefix` stands before each number, as in `3.`. */
export function compileRules<Subject>(
  tree: readonly Rule<Subject>[],
  rules: RoomVersionRules,
  prefix = '',
): RuleBook<Subject> {
  const forAll: CompiledRule<Subject>[] = [];
  const byType = new Map<string, CompiledRule<Subject>[]>();
  const numbers = new Map<string, string>();
  const ofVersion = tree.filter((rule) => rule.versions?.(rules) ?? true);
  for (const { type } of ofVersion) if (type !== undefined) byType.set(type, []);
  for (const [index, rule] of ofVersion.entries()) {
    const number = `${prefix}${index + 1}`;
    const compiled = compileRule(rule, rules, number);
    numbers.set(rule.name, number);
    if (rule.type === undefined) forAll.push(compiled);
    for (const [type, list] of byType) if (rule.type === undefined || rule.type === type) list.push(compiled);
  }
  return {
    run: (type, subject) => runRules(byType.get(type) ?? forAll, subject),
    numberOf: (name) => numbers.get(name) ?? '',
  };
}

function compileRule<Subject>(rule: Rule<Subject>, rules: RoomVersionRules, number: string): CompiledRule<Subject> {
  const { when } = rule;
  if ('check' in rule) {
    return (subject) => {
      if (when !== undefined && !when(subject)) return undefined;
      const outcome = rule.check(subject);
      if (outcome === 'next') return undefined;
      if (outcome === 'allow') return ALLOWED;
      const step = outcome.step === undefined ? '' : `.${outcome.step}`;
      return { allowed: false, rule: `${number}${step} ${rule.name}`, reason: outcome.reason };
    };
  }
  const children = rule.rules
    .filter((child) => child.versions?.(rules) ?? true)
    .map((child, index) => compileRule(child, rules, `${number}.${index + 1}`));
  return (subject) => (when === undefined || when(subject) ? runRules(children, subject) : undefined);
}

function runRules<Subject>(rules: readonly CompiledRule<Subject>[], subject: Subject): Verdict | undefined {
  for (const rule of rules) {
    const verdict = rule(subject);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}
