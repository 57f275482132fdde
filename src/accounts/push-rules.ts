import { parseUserId, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject } from '../protocol/json/index.ts';
import {
  type AddedRules,
  adjustRule,
  asksForDisplayName,
  changesOf,
  defaultPushRules,
  type PushAction,
  type PushRuleChanges,
  type PushRuleKind,
  type PushRuleset,
  pushRules,
  type RuleProblem,
} from '../protocol/push/index.ts';
import type { Database, ReadTx } from '../storage/index.ts';
import type { AccountData } from './account-data.ts';
import { findAccountData, listAccountDataOfType } from './store/account-data.ts';

const PUSH_RULES = 'm.push_rules';
/** Of all of a user's rules: they are in memory, and each change writes them all and shows them in `/sync`. */
const RULES_CHARS_MAX = 512 * 1024;
const NO_CHANGES: PushRuleChanges = { own: {}, defaults: new Map() };

/** The rules of a user who has changed some. */
interface OwnRules {
  readonly rules: PushRuleset;
  /** Whether one of them looks for the user's display name. */
  readonly asksForName: boolean;
}

/** Who is joined to a room. */
interface JoinedUsers {
  readonly joinedCount: number;
  readonly isJoined: (userId: UserId) => boolean;
  readonly joinedUsers: () => Iterable<UserId>;
}

/**
 * The push rules of users. They are kept as the account data `m.push_rules`, where `/sync` finds them; those of users who
 * have changed anything are in memory besides, since every event is judged by them.
 * Spec: client-server-api/#push-rules
 */
export class PushRules {
  readonly #database: Database;
  readonly #accountData: AccountData;
  readonly #changed = new Map<UserId, OwnRules>();
  /** What this server adds to the default rules of everybody. */
  readonly added: AddedRules;

  constructor(database: Database, accountData: AccountData, added: AddedRules) {
    this.added = added;
    this.#database = database;
    this.#accountData = accountData;
  }

  /**
   * Reads the rules of all users who have changed some. Before the first event is judged. Where the default rules are other
   * ones than when they were written, as in another version of the server, clients are told.
   */
  async load(): Promise<void> {
    const stale: { readonly userId: UserId; readonly rules: PushRuleset }[] = [];
    for (const row of await this.#database.read((tx) => listAccountDataOfType(tx, PUSH_RULES))) {
      const userId = parseUserId(row.user_id);
      if (userId === undefined) continue;
      const rules = rulesetOf(userId, row.content, this.added);
      this.#changed.set(userId, ownRules(rules));
      if (JSON.stringify({ global: rules }) !== row.content) stale.push({ userId, rules });
    }
    if (stale.length === 0) return;
    await this.#database.write('main', async (tx) => {
      for (const { userId, rules } of stale) {
        await this.#accountData.set(tx, userId, undefined, PUSH_RULES, { global: rules });
      }
    });
  }

  /** All rules of a user. No query. */
  get(userId: UserId): PushRuleset {
    return this.#changed.get(userId)?.rules ?? defaultPushRules(userId, this.added);
  }

  /** Whether the user's rules are other than the default ones. */
  isChanged(userId: UserId): boolean {
    return this.#changed.has(userId);
  }

  /** The joined users who have rules of their own, with them; walks through the smaller of both. */
  *usersWithOwnRules({ joinedCount, isJoined, joinedUsers }: JoinedUsers): Iterable<OwnRules & { userId: UserId }> {
    if (joinedCount < this.#changed.size) {
      for (const userId of joinedUsers()) {
        const own = this.#changed.get(userId);
        if (own !== undefined) yield { userId, ...own };
      }
    } else {
      for (const [userId, own] of this.#changed) if (isJoined(userId)) yield { userId, ...own };
    }
  }

  /** Changes a user's rules, one change after the other. Returns the problem where there is one, and changes nothing then. */
  async change(
    userId: UserId,
    change: (changes: PushRuleChanges) => PushRuleChanges | RuleProblem,
  ): Promise<RuleProblem | undefined> {
    return this.#database.write('main', async (tx) => {
      const changed = change(await this.#changesIn(tx, userId));
      if (typeof changed === 'string') return changed;
      const rules = pushRules(userId, changed, this.added);
      const chars = charsOf(rules);
      if (chars > RULES_CHARS_MAX && chars > charsOf(this.get(userId))) return 'too-many';
      await this.#accountData.set(tx, userId, undefined, PUSH_RULES, { global: rules });
      tx.onCommit(() => this.#changed.set(userId, ownRules(rules)));
      return undefined;
    });
  }

  /** Switches one of a user's rules on or off, or gives it other actions. Returns the problem where there is one. */
  adjust(
    userId: UserId,
    kind: PushRuleKind,
    ruleId: string,
    adjustment: { readonly enabled?: boolean; readonly actions?: readonly PushAction[] },
  ): Promise<RuleProblem | undefined> {
    return this.change(userId, (changes) => adjustRule(userId, changes, kind, ruleId, adjustment, this.added));
  }

  async #changesIn(tx: ReadTx, userId: UserId): Promise<PushRuleChanges> {
    const content = await findAccountData(tx, userId, '', PUSH_RULES);
    const json: unknown = content === undefined ? undefined : JSON.parse(content);
    return isJsonObject(json) ? changesOf(userId, json, this.added) : NO_CHANGES;
  }
}

function charsOf(rules: PushRuleset): number {
  return JSON.stringify(rules).length;
}

/** The rules that stand in account data, with default rules that this version has and that one hadn't. */
function rulesetOf(userId: UserId, content: string, added: AddedRules): PushRuleset {
  const json: unknown = JSON.parse(content);
  return pushRules(userId, isJsonObject(json) ? changesOf(userId, json, added) : NO_CHANGES, added);
}

function ownRules(rules: PushRuleset): OwnRules {
  return { rules, asksForName: asksForDisplayName(rules) };
}
