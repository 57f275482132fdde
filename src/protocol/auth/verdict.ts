/** The answer of an authorization check; a refusal names the rule by its number in the room version's text, and says why. */
export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly rule: string; readonly reason: string };

/** What a refusal says to people: what the rule is about, without its number, and why it refuses. */
export function refusalText({ rule, reason }: Extract<Verdict, { readonly allowed: false }>): string {
  return `${rule.replace(/^[0-9.]+ /, '')}: ${reason}`;
}

/** The verdict of everything that is allowed. */
export const ALLOWED: Verdict = Object.freeze({ allowed: true });

/** A check says no. `step` is the number of the sentence below the rule, where the rule has several. */
export interface Refusal {
  readonly reason: string;
  readonly step: number | undefined;
}

/** What one check says: the event is allowed, it is refused, or the rules after it decide. */
export type Outcome = 'allow' | 'next' | Refusal;

/** Makes a refusal. */
export function refuse(reason: string, step?: number): Refusal {
  return { reason, step };
}
