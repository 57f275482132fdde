import { TypePattern } from '../protocol/filter/index.ts';
import { serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readBoolean, readString, readStrings } from '../protocol/json/index.ts';
import type { AccountData } from './account-data.ts';

const CONFIG = 'm.invite_permission_config';
const UNSTABLE_CONFIG = 'org.matrix.msc4155.invite_permission_config';

type Verdict = 'allow' | 'ignore' | 'block';

/** MSC4155's lists in the order in which they are asked; the first that matches decides. */
const LISTS: readonly { readonly key: string; readonly of: 'user' | 'server'; readonly verdict: Verdict }[] = [
  { key: 'allowed_users', of: 'user', verdict: 'allow' },
  // Who invites isn't told that they are ignored.
  { key: 'ignored_users', of: 'user', verdict: 'ignore' },
  { key: 'blocked_users', of: 'user', verdict: 'block' },
  { key: 'allowed_servers', of: 'server', verdict: 'allow' },
  { key: 'ignored_servers', of: 'server', verdict: 'ignore' },
  { key: 'blocked_servers', of: 'server', verdict: 'block' },
];

/** Who may invite whom, as users say it in their account data. Spec: client-server-api/#invite-permission */
export class AccountInvitePolicy {
  readonly #accountData: AccountData;
  readonly #noticesUser: UserId;

  /** `noticesUser`: in whose name the server invites, which is always let through. */
  constructor(accountData: AccountData, noticesUser: UserId) {
    this.#accountData = accountData;
    this.#noticesUser = noticesUser;
  }

  /** Whether the invitee wants no invites from the inviter. */
  async blocksInvites(invitee: UserId, inviter: UserId): Promise<boolean> {
    return (await this.#verdict(invitee, inviter)) === 'block';
  }

  /** Whether the invitee isn't to be shown invites of the inviter. */
  async hidesInvites(invitee: UserId, inviter: UserId): Promise<boolean> {
    return (await this.#verdict(invitee, inviter)) !== 'allow';
  }

  async #verdict(invitee: UserId, inviter: UserId): Promise<Verdict> {
    if (inviter === this.#noticesUser) return 'allow';
    const stable = await this.#config(invitee, CONFIG);
    if (stable !== undefined && readString(stable, 'default_action') === 'block') return 'block';
    const lists = await this.#config(invitee, UNSTABLE_CONFIG);
    return lists === undefined || readBoolean(lists, 'enabled') === false ? 'allow' : verdictOf(lists, inviter);
  }

  async #config(userId: UserId, type: string): Promise<JsonObject | undefined> {
    const json = await this.#accountData.find(userId, undefined, type);
    const content: unknown = json === undefined ? undefined : JSON.parse(json);
    return isJsonObject(content) ? content : undefined;
  }
}

function verdictOf(config: JsonObject, inviter: UserId): Verdict {
  const names = { user: inviter, server: serverNameOf(inviter) };
  for (const { key, of, verdict } of LISTS) {
    const globs = readStrings(config, key);
    if (globs !== undefined && globs.length > 0 && new TypePattern(globs).matches(names[of])) return verdict;
  }
  return 'allow';
}
