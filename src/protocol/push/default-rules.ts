/**
 * The rules that everybody has.
 * Spec: client-server-api/#predefined-rules
 */
import type { UserId } from '../ids/index.ts';
import type { PushAction, PushCondition, PushRule, PushRuleKind, PushRuleset } from './types.ts';

const SOUND: PushAction = { set_tweak: 'sound', value: 'default' };
const RING: PushAction = { set_tweak: 'sound', value: 'ring' };
const HIGHLIGHT: PushAction = { set_tweak: 'highlight' };

const match = (key: string, pattern: string): PushCondition => ({ kind: 'event_match', key, pattern });
const ONE_TO_ONE: PushCondition = { kind: 'room_member_count', is: '2' };

function rule(
  ruleId: string,
  conditions: readonly PushCondition[],
  actions: readonly PushAction[],
  enabled = true,
): PushRule {
  return { rule_id: ruleId, default: true, enabled, conditions, actions };
}

/** Turns everything off where it is enabled; it goes before all rules, even the user's own. */
export const MASTER_RULE_ID = '.m.rule.master';

const MASTER = rule(MASTER_RULE_ID, [], [], false);

/** Notifies of each encrypted event, so that clients find those for which their own rules would notify. MSC4028 */
export const ENCRYPTED_EVENT_RULE_ID = '.org.matrix.msc4028.encrypted_event';

const ENCRYPTED_EVENT = rule(
  ENCRYPTED_EVENT_RULE_ID,
  [{ kind: 'event_property_is', key: 'type', value: 'm.room.encrypted' }],
  ['notify'],
);

/** What a server adds to the default rules of the specification. */
export interface AddedRules {
  /** Whether there is a rule for every encrypted event. MSC4028 */
  readonly encryptedEvents: boolean;
}

/** The default rules of the specification and no others. */
export const NO_ADDED_RULES: AddedRules = { encryptedEvents: false };

function overrideRules(userId: UserId, added: AddedRules): readonly PushRule[] {
  return [
    ...(added.encryptedEvents ? [ENCRYPTED_EVENT] : []),
    rule('.m.rule.suppress_notices', [match('content.msgtype', 'm.notice')], []),
    rule(
      '.m.rule.invite_for_me',
      [match('type', 'm.room.member'), match('content.membership', 'invite'), match('state_key', userId)],
      ['notify', SOUND],
    ),
    rule('.m.rule.member_event', [match('type', 'm.room.member')], []),
    rule(
      '.m.rule.is_user_mention',
      [{ kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: userId }],
      ['notify', SOUND, HIGHLIGHT],
    ),
    rule(
      '.m.rule.is_room_mention',
      [
        { kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true },
        { kind: 'sender_notification_permission', key: 'room' },
      ],
      ['notify', HIGHLIGHT],
    ),
    rule('.m.rule.tombstone', [match('type', 'm.room.tombstone'), match('state_key', '')], ['notify', HIGHLIGHT]),
    rule('.m.rule.reaction', [match('type', 'm.reaction')], []),
    rule('.m.rule.room.server_acl', [match('type', 'm.room.server_acl'), match('state_key', '')], []),
    rule(
      '.m.rule.suppress_edits',
      [{ kind: 'event_property_is', key: 'content.m\\.relates_to.rel_type', value: 'm.replace' }],
      [],
    ),
  ];
}

const UNDERRIDE: readonly PushRule[] = [
  rule('.m.rule.call', [match('type', 'm.call.invite')], ['notify', RING]),
  rule('.m.rule.encrypted_room_one_to_one', [ONE_TO_ONE, match('type', 'm.room.encrypted')], ['notify', SOUND]),
  rule('.m.rule.room_one_to_one', [ONE_TO_ONE, match('type', 'm.room.message')], ['notify', SOUND]),
  rule('.m.rule.message', [match('type', 'm.room.message')], ['notify']),
  rule('.m.rule.encrypted', [match('type', 'm.room.encrypted')], ['notify']),
];

/** What a user has changed: own rules, highest priority first, and settings of the default ones by rule id. */
export interface PushRuleChanges {
  readonly own: Readonly<Partial<Record<PushRuleKind, readonly PushRule[]>>>;
  readonly defaults: ReadonlyMap<string, Partial<Pick<PushRule, 'enabled' | 'actions'>>>;
}

const NO_CHANGES: PushRuleChanges = { own: {}, defaults: new Map() };

/** The rules of a user who has changed nothing. Spec: client-server-api/#predefined-rules */
export function defaultPushRules(userId: UserId, added = NO_ADDED_RULES): PushRuleset {
  return pushRules(userId, NO_CHANGES, added);
}

/**
 * All rules of a user: the own ones go before the default ones, and `.m.rule.master` before all.
 * Spec: client-server-api/#predefined-rules
 */
export function pushRules(userId: UserId, { own, defaults }: PushRuleChanges, added = NO_ADDED_RULES): PushRuleset {
  const changed = (rules: readonly PushRule[]): readonly PushRule[] =>
    defaults.size === 0 ? rules : rules.map((one) => ({ ...one, ...defaults.get(one.rule_id) }));
  return {
    override: [...changed([MASTER]), ...(own.override ?? []), ...changed(overrideRules(userId, added))],
    content: own.content ?? [],
    room: own.room ?? [],
    sender: own.sender ?? [],
    underride: [...(own.underride ?? []), ...changed(UNDERRIDE)],
  };
}
