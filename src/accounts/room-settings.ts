import type { RoomId, UserId } from '../protocol/ids/index.ts';
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, readObject } from '../protocol/json/index.ts';
import { type PushRule, type PushRuleChanges, type PushRuleKind, putRule } from '../protocol/push/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import type { AccountData } from './account-data.ts';
import type { PushRules } from './push-rules.ts';
import { findAccountData } from './store/account-data.ts';

/** Kinds of push rules that can be about a room. */
const ROOM_RULE_KINDS = ['override', 'room', 'underride'] as const satisfies readonly PushRuleKind[];

/** What users set for single rooms: tags, push rules, and whom a room is a direct chat with. */
export class RoomSettings {
  readonly #database: Database;
  readonly #accountData: AccountData;
  readonly #pushRules: PushRules;

  constructor(database: Database, accountData: AccountData, pushRules: PushRules) {
    this.#database = database;
    this.#accountData = accountData;
    this.#pushRules = pushRules;
  }

  /** Copies a user's settings of a room to the room that replaces it, but for what is set there already. */
  async copy(userId: UserId, from: RoomId, to: RoomId): Promise<void> {
    await this.#database.write('main', async (tx) => {
      await this.#copyTags(tx, userId, from, to);
      await this.#copyDirect(tx, userId, from, to);
    });
    const names = (rules: readonly PushRule[]) => rules.some((rule) => copyFor(rule, from, to) !== undefined);
    const rules = this.#pushRules.get(userId);
    if (ROOM_RULE_KINDS.some((kind) => names(rules[kind]))) {
      await this.#pushRules.change(userId, (changes) => withCopies(changes, from, to));
    }
  }

  async #copyTags(tx: WriteTx, userId: UserId, from: RoomId, to: RoomId): Promise<void> {
    const tags = readObject(await this.#read(tx, userId, from, 'm.tag'), 'tags') ?? {};
    const known = readObject(await this.#read(tx, userId, to, 'm.tag'), 'tags') ?? {};
    if (Object.keys(tags).every((tag) => tag in known)) return;
    await this.#accountData.set(tx, userId, to, 'm.tag', { tags: { ...tags, ...known } });
  }

  /** Spec: client-server-api/#direct-messaging */
  async #copyDirect(tx: WriteTx, userId: UserId, from: RoomId, to: RoomId): Promise<void> {
    const direct = await this.#read(tx, userId, undefined, 'm.direct');
    let isChanged = false;
    const rooms = Object.entries(direct).map(([other, ids]): [string, JsonValue] => {
      if (!isJsonArray(ids) || !ids.includes(from) || ids.includes(to)) return [other, ids];
      isChanged = true;
      return [other, [...ids, to]];
    });
    if (isChanged) await this.#accountData.set(tx, userId, undefined, 'm.direct', Object.fromEntries(rooms));
  }

  async #read(tx: WriteTx, userId: UserId, roomId: RoomId | undefined, type: string): Promise<JsonObject> {
    const json = await findAccountData(tx, userId, roomId ?? '', type);
    const content: unknown = json === undefined ? undefined : JSON.parse(json);
    return isJsonObject(content) ? content : {};
  }
}

/** The changes with a copy of each own rule about a room for another one. */
function withCopies(changes: PushRuleChanges, from: RoomId, to: RoomId): PushRuleChanges {
  let changed = changes;
  for (const kind of ROOM_RULE_KINDS) {
    const own = changes.own[kind] ?? [];
    for (const rule of own) {
      const copy = copyFor(rule, from, to);
      if (copy === undefined || own.some((one) => one.rule_id === copy.rule_id)) continue;
      const next = putRule(changed, kind, copy, { after: rule.rule_id });
      // Too many rules already: the room goes without.
      if (typeof next !== 'string') changed = next;
    }
  }
  return changed;
}

/** The rule for another room; undefined where it isn't about the first one. */
function copyFor(rule: PushRule, from: RoomId, to: RoomId): PushRule | undefined {
  if (rule.default) return undefined;
  if (rule.rule_id === from) return { ...rule, rule_id: to, ...conditionsFor(rule, from, to) };
  const isAbout = rule.conditions?.some((condition) => isRoomCondition(condition, from)) ?? false;
  return isAbout ? { ...rule, rule_id: `${rule.rule_id}_${to}`, ...conditionsFor(rule, from, to) } : undefined;
}

function conditionsFor({ conditions }: PushRule, from: RoomId, to: RoomId): Pick<PushRule, 'conditions'> {
  if (conditions === undefined) return {};
  return { conditions: conditions.map((one) => (isRoomCondition(one, from) ? { ...one, pattern: to } : one)) };
}

function isRoomCondition(condition: NonNullable<PushRule['conditions']>[number], roomId: RoomId): boolean {
  return condition.kind === 'event_match' && condition.key === 'room_id' && condition.pattern === roomId;
}
