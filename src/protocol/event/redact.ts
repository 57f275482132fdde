/**
 * The redaction algorithm, which decides what of an event is covered by its signatures and its id.
 * Spec: rooms/v1/#redactions, rooms/v6/#redactions, rooms/v8/#redactions, rooms/v9/#redactions, rooms/v11/#redactions
 */
import { type JsonObject, type JsonValue, readObject } from '../json/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';

/** The keys of the content that stay, or what makes of a content what stays of it. */
type KeptContent = readonly string[] | ((content: JsonObject) => JsonObject);

interface RedactionRules {
  readonly topLevel: readonly string[];
  readonly content: ReadonlyMap<string, KeptContent>;
}

const NOTHING: JsonObject = Object.freeze({});

const TOP_LEVEL = [
  'auth_events',
  'content',
  'depth',
  'event_id',
  'hashes',
  'origin_server_ts',
  'prev_events',
  'room_id',
  'sender',
  'signatures',
  'state_key',
  'type',
];
const TOP_LEVEL_BEFORE_V11 = [...TOP_LEVEL, 'membership', 'origin', 'prev_state'];

const POWER_LEVELS = ['ban', 'events', 'events_default', 'kick', 'redact', 'state_default', 'users', 'users_default'];

/**
 * Room version 11 keeps what a third party signed of its invite. Of an invite without `signed` an empty object stays, as
 * other homeservers have it: the event's id depends on it.
 */
function memberContentOfV11(content: JsonObject): JsonObject {
  const kept = pick(content, ['membership', 'join_authorised_via_users_server']);
  const invite = readObject(content, 'third_party_invite');
  return invite === undefined ? kept : { ...kept, third_party_invite: pick(invite, ['signed']) };
}

function redactionRules(rules: RoomVersionRules): RedactionRules {
  const content = new Map<string, KeptContent>();
  content.set('m.room.create', rules.updatedRedaction ? (whole) => whole : ['creator']);
  content.set('m.room.join_rules', rules.restricted ? ['allow', 'join_rule'] : ['join_rule']);
  content.set('m.room.power_levels', rules.updatedRedaction ? [...POWER_LEVELS, 'invite'] : POWER_LEVELS);
  content.set('m.room.history_visibility', ['history_visibility']);
  if (rules.updatedRedaction) content.set('m.room.member', memberContentOfV11);
  else if (rules.restrictedMembershipKept)
    content.set('m.room.member', ['join_authorised_via_users_server', 'membership']);
  else content.set('m.room.member', ['membership']);
  if (rules.aliasesAuth) content.set('m.room.aliases', ['aliases']);
  if (rules.updatedRedaction) content.set('m.room.redaction', ['redacts']);
  return { topLevel: rules.updatedRedaction ? TOP_LEVEL : TOP_LEVEL_BEFORE_V11, content };
}

const cachedRules = new Map<RoomVersionRules, RedactionRules>();

function redactionRulesOf(rules: RoomVersionRules): RedactionRules {
  let found = cachedRules.get(rules);
  if (found === undefined) {
    found = redactionRules(rules);
    cachedRules.set(rules, found);
  }
  return found;
}

/** What stays of an event's content. */
export function redactContent(type: string, content: JsonObject, rules: RoomVersionRules): JsonObject {
  const kept = redactionRulesOf(rules).content.get(type);
  if (kept === undefined) return NOTHING;
  return typeof kept === 'function' ? kept(content) : pick(content, kept);
}

/** What stays of a PDU in JSON, its id included where that is a field. `content` that isn't an object becomes empty. */
export function redactPdu(pdu: JsonObject, rules: RoomVersionRules): JsonObject {
  const type = typeof pdu.type === 'string' ? pdu.type : '';
  const content = readObject(pdu, 'content') ?? NOTHING;
  return { ...pick(pdu, redactionRulesOf(rules).topLevel), content: redactContent(type, content, rules) };
}

function pick(object: JsonObject, keys: readonly string[]): JsonObject {
  const picked: Record<string, JsonValue> = {};
  for (const key of keys) {
    const value = Object.hasOwn(object, key) ? object[key] : undefined;
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}
