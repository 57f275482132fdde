import type { UserId } from '../protocol/ids/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { SyncContext } from './request.ts';

/** A piece of account data. */
export interface AccountDatum {
  /** Undefined for data that belongs to no room. */
  readonly roomId: string | undefined;
  readonly type: string;
  /** The content as JSON text. */
  readonly content: string;
}

/** What sync asks of the accounts. */
export interface SyncAccounts {
  ignoredUsers(userId: UserId): Promise<ReadonlySet<UserId>>;
  /** Whether a user wants to see no invite of another. Spec: client-server-api/#invite-permission */
  hidesInvite(userId: UserId, inviter: UserId): Promise<boolean>;
  /** The push rules of a user who has changed none, which therefore aren't account data; undefined for others. */
  defaultPushRules(userId: UserId): object | undefined;
  /** What changed after `from` up to `to`, in order; from 0 on: everything. */
  accountDataBetween(tx: ReadTx, userId: UserId, from: number, to: number): Promise<readonly AccountDatum[]>;
}

/** An event of account data, as JSON. */
export interface AccountDataEvent {
  readonly type: string;
  readonly json: string;
}

export interface AccountDataEvents {
  readonly global: readonly AccountDataEvent[];
  readonly byRoom: ReadonlyMap<string, readonly AccountDataEvent[]>;
}

/** The account data that changed since the token. Spec: client-server-api/#client-config */
export async function accountDataEvents(
  tx: ReadTx,
  accounts: SyncAccounts,
  { viewer, since, to, query }: SyncContext,
): Promise<AccountDataEvents> {
  const isWhole = since === undefined || query.fullState;
  const from = isWhole ? 0 : since.accountData;
  const changed = await accountDataBetween(tx, accounts, viewer.userId, from, to.accountData);
  const rules = isWhole ? accounts.defaultPushRules(viewer.userId) : undefined;
  if (rules === undefined) return changed;
  const json = `{"type":"m.push_rules","content":{"global":${JSON.stringify(rules)}}}`;
  return { ...changed, global: [{ type: 'm.push_rules', json }, ...changed.global] };
}

/** The account data that was set after `from` up to `to`. */
export async function accountDataBetween(
  tx: ReadTx,
  accounts: SyncAccounts,
  userId: UserId,
  from: number,
  to: number,
): Promise<AccountDataEvents> {
  const global: AccountDataEvent[] = [];
  const byRoom = new Map<string, AccountDataEvent[]>();
  if (from >= to) return { global, byRoom };
  for (const { roomId, type, content } of await accounts.accountDataBetween(tx, userId, from, to)) {
    const event = { type, json: `{"type":${JSON.stringify(type)},"content":${content}}` };
    if (roomId === undefined) global.push(event);
    else {
      const events = byRoom.get(roomId);
      if (events === undefined) byRoom.set(roomId, [event]);
      else events.push(event);
    }
  }
  return { global, byRoom };
}
