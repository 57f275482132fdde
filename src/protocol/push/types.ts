/**
 * Push rules as they go over the wire and into account data; they are documents of the user, so their names stay as
 * the specification has them.
 * Spec: client-server-api/#push-rules
 */
import type { JsonObject, JsonValue } from '../json/index.ts';

/** The kinds of rules, in the order in which they are checked. */
export const PUSH_RULE_KINDS = ['override', 'content', 'room', 'sender', 'underride'] as const;

export type PushRuleKind = (typeof PUSH_RULE_KINDS)[number];

/** `"notify"` or `{"set_tweak": name, "value": …}`. Anything else is ignored. */
export type PushAction = string | JsonObject;

/** A condition; one that we don't know never holds. */
export interface PushCondition extends JsonObject {
  readonly kind: string;
  readonly key?: string;
  readonly pattern?: string;
  readonly value?: JsonValue;
  readonly is?: string;
}

/** A single rule. */
export interface PushRule extends JsonObject {
  readonly rule_id: string;
  /** Whether it is one of the server's own. */
  readonly default: boolean;
  readonly enabled: boolean;
  readonly actions: readonly PushAction[];
  /** Of override and underride rules. */
  readonly conditions?: readonly PushCondition[];
  /** Of content rules. */
  readonly pattern?: string;
}

/** All rules of a user by kind, each kind in order of priority, highest first. */
export type PushRuleset = Readonly<Record<PushRuleKind, readonly PushRule[]>>;
