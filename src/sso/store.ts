/** The tables of single sign-on: log-ins under way, sessions and where they come from, logouts that were heard of. */
import type { UserId } from '../protocol/ids/index.ts';
import { clustered, type Migrations, type ReadTx, textList, upsert, type WriteTx } from '../storage/index.ts';

/**
 * `started`: at the provider; `returned`: its answer is being looked at; `name`: the user chooses a name; `confirm`: the user
 * is asked whether the client may have the account; `proof`: whether what is delicate may happen.
 */
export type LoginStage = 'started' | 'returned' | 'name' | 'confirm' | 'proof';

/** One log-in under way, from the redirect to the provider to the redirect to the client. */
export interface SsoLoginRow {
  /** SHA-256 of the state that the provider gets. */
  readonly login_id: string;
  readonly cookie_hash: string;
  readonly provider: string;
  readonly purpose: 'login' | 'proof';
  /** The client's redirect address, or the session of user-interactive authentication. */
  readonly target: string;
  readonly nonce: string;
  readonly code_verifier: string;
  readonly stage: LoginStage;
  /** JSON, once the provider has answered. */
  readonly identity: string | null;
  readonly user_id: string | null;
  readonly expires_ts: number;
}

/** Which session at a provider a device's session hangs on. */
export interface SsoSessionRow {
  readonly user_id: string;
  readonly device_id: string;
  readonly provider: string;
  readonly subject: string;
  readonly upstream_sid: string | null;
}

/** A logout token that was accepted. */
export interface SsoLogoutRow {
  readonly provider: string;
  /** SHA-256 of its `jti`. */
  readonly token_hash: string;
  readonly subject: string | null;
  readonly upstream_sid: string | null;
  readonly received_ts: number;
  readonly expires_ts: number;
}

declare module '../storage/tables.ts' {
  interface Tables {
    sso_logins: SsoLoginRow;
    sso_sessions: SsoSessionRow;
    sso_logouts: SsoLogoutRow;
  }
}

export const ssoMigrations: Migrations = {
  '0800_sso_init': {
    async up({ schema }) {
      await schema
        .createTable('sso_logins')
        .addColumn('login_id', 'text', (c) => c.primaryKey().notNull())
        .addColumn('cookie_hash', 'text', (c) => c.notNull())
        .addColumn('provider', 'text', (c) => c.notNull())
        .addColumn('purpose', 'text', (c) => c.notNull())
        .addColumn('target', 'text', (c) => c.notNull())
        .addColumn('nonce', 'text', (c) => c.notNull())
        .addColumn('code_verifier', 'text', (c) => c.notNull())
        .addColumn('stage', 'text', (c) => c.notNull())
        .addColumn('identity', 'text')
        .addColumn('user_id', 'text')
        .addColumn('expires_ts', 'integer', (c) => c.notNull())
        .modifyEnd(clustered)
        .execute();
      await schema.createIndex('sso_logins_by_expiry').on('sso_logins').column('expires_ts').execute();
      await schema
        .createTable('sso_sessions')
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('device_id', 'text', (c) => c.notNull())
        .addColumn('provider', 'text', (c) => c.notNull())
        .addColumn('subject', 'text', (c) => c.notNull())
        .addColumn('upstream_sid', 'text')
        .addPrimaryKeyConstraint('sso_sessions_pk', ['user_id', 'device_id'])
        .modifyEnd(clustered)
        .execute();
      await schema.createIndex('sso_sessions_by_subject').on('sso_sessions').columns(['provider', 'subject']).execute();
      await schema
        .createIndex('sso_sessions_by_sid')
        .on('sso_sessions')
        .columns(['provider', 'upstream_sid'])
        .execute();
      await schema
        .createTable('sso_logouts')
        .addColumn('provider', 'text', (c) => c.notNull())
        .addColumn('token_hash', 'text', (c) => c.notNull())
        .addColumn('subject', 'text')
        .addColumn('upstream_sid', 'text')
        .addColumn('received_ts', 'integer', (c) => c.notNull())
        .addColumn('expires_ts', 'integer', (c) => c.notNull())
        .addPrimaryKeyConstraint('sso_logouts_pk', ['provider', 'token_hash'])
        .modifyEnd(clustered)
        .execute();
      await schema.createIndex('sso_logouts_by_expiry').on('sso_logouts').column('expires_ts').execute();
    },
  },
};

export async function insertLogin(tx: WriteTx, row: SsoLoginRow): Promise<void> {
  await tx.db.insertInto('sso_logins').values(row).execute();
}

export function findLogin(tx: ReadTx, loginId: string, now: number): Promise<SsoLoginRow | undefined> {
  return tx.db
    .selectFrom('sso_logins')
    .selectAll()
    .where('login_id', '=', loginId)
    .where('expires_ts', '>', now)
    .executeTakeFirst();
}

/** Moves a log-in on from the stage where it is; false where somebody else has. */
export async function moveLogin(
  tx: WriteTx,
  loginId: string,
  from: LoginStage,
  change: Partial<SsoLoginRow> & { readonly stage: LoginStage },
): Promise<boolean> {
  const result = await tx.db
    .updateTable('sso_logins')
    .set(change)
    .where('login_id', '=', loginId)
    .where('stage', '=', from)
    .executeTakeFirst();
  return Number(result.numUpdatedRows) > 0;
}

/** Ends a log-in in the stage where it is; false where somebody else has. */
export async function deleteLogin(tx: WriteTx, loginId: string, stage: LoginStage): Promise<boolean> {
  const result = await tx.db
    .deleteFrom('sso_logins')
    .where('login_id', '=', loginId)
    .where('stage', '=', stage)
    .executeTakeFirst();
  return Number(result.numDeletedRows) > 0;
}

export async function setSession(tx: WriteTx, row: SsoSessionRow): Promise<void> {
  await upsert(tx, 'sso_sessions', row, ['user_id', 'device_id']);
}

export async function deleteSessions(tx: WriteTx, userId: UserId, deviceIds: readonly string[]): Promise<void> {
  await tx.db
    .deleteFrom('sso_sessions')
    .where('user_id', '=', userId)
    .where('device_id', 'in', textList(deviceIds))
    .execute();
}

/** What a logout is about: a session at the provider, a user there, or both. */
export interface LoggedOut {
  readonly subject: string | undefined;
  readonly upstreamSid: string | undefined;
}

/** The sessions here that hang on what was ended there. */
export function sessionsOf(
  tx: ReadTx,
  provider: string,
  { subject, upstreamSid }: LoggedOut,
): Promise<readonly { readonly user_id: string; readonly device_id: string }[]> {
  let query = tx.db.selectFrom('sso_sessions').select(['user_id', 'device_id']).where('provider', '=', provider);
  if (subject !== undefined) query = query.where('subject', '=', subject);
  if (upstreamSid !== undefined) query = query.where('upstream_sid', '=', upstreamSid);
  return query.execute();
}

/** Keeps a logout. False where this very token came before. */
export async function insertLogout(tx: WriteTx, row: SsoLogoutRow): Promise<boolean> {
  const result = await tx.db
    .insertInto('sso_logouts')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return Number(result.numInsertedOrUpdatedRows ?? 0) > 0;
}

/** Whether the session was ended at the provider since it vouched for it. */
export async function isLoggedOut(
  tx: ReadTx,
  {
    provider,
    subject,
    upstreamSid,
    authTs,
  }: { provider: string; subject: string; upstreamSid?: string | undefined; authTs: number },
): Promise<boolean> {
  const rows = await tx.db
    .selectFrom('sso_logouts')
    .select(['subject', 'upstream_sid'])
    .where('provider', '=', provider)
    .where('received_ts', '>=', authTs)
    .execute();
  return rows.some(
    (row) =>
      (row.subject === null || row.subject === subject) &&
      (row.upstream_sid === null || row.upstream_sid === upstreamSid),
  );
}

export async function deleteExpiredSso(tx: WriteTx, now: number): Promise<void> {
  await tx.db.deleteFrom('sso_logins').where('expires_ts', '<=', now).execute();
  await tx.db.deleteFrom('sso_logouts').where('expires_ts', '<=', now).execute();
}
