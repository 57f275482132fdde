/** Tokens that live for minutes: OpenID tokens, login tokens. */
import type { UserId } from '../../protocol/ids/index.ts';
import type { Migrations, ReadTx, WriteTx } from '../../storage/index.ts';
import { clustered } from '../../storage/index.ts';

/** What a token is for. */
export type ShortTokenPurpose = 'openid' | 'login';

declare module '../../storage/tables.ts' {
  interface Tables {
    short_tokens: {
      /** SHA-256 of the token, base64url. */
      readonly token_hash: string;
      readonly purpose: ShortTokenPurpose;
      readonly user_id: string;
      readonly expires_ts: number;
      /** Of a login token: what whoever issued it wants to know again when it is used. */
      readonly note: string | null;
    };
  }
}

export const shortTokensMigrations: Migrations = {
  '0101_accounts_short_tokens': {
    async up({ schema }) {
      await schema
        .createTable('short_tokens')
        .addColumn('token_hash', 'text', (c) => c.primaryKey().notNull())
        .addColumn('purpose', 'text', (c) => c.notNull())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('expires_ts', 'integer', (c) => c.notNull())
        .modifyEnd(clustered)
        .execute();
      await schema.createIndex('short_tokens_by_expiry').on('short_tokens').column('expires_ts').execute();
    },
  },
  '0104_accounts_short_token_notes': {
    async up({ schema }) {
      await schema.alterTable('short_tokens').addColumn('note', 'text').execute();
    },
  },
};

export async function insertShortToken(
  tx: WriteTx,
  row: {
    token_hash: string;
    purpose: ShortTokenPurpose;
    user_id: UserId;
    expires_ts: number;
    note: string | null;
  },
): Promise<void> {
  await tx.db.insertInto('short_tokens').values(row).execute();
}

/** Whose token it is; undefined for one that is unknown, for something else, or no longer valid. */
export async function findShortToken(
  tx: ReadTx,
  hash: string,
  purpose: ShortTokenPurpose,
  now: number,
): Promise<{ readonly user_id: string; readonly note: string | null } | undefined> {
  return tx.db
    .selectFrom('short_tokens')
    .select(['user_id', 'note'])
    .where('token_hash', '=', hash)
    .where('purpose', '=', purpose)
    .where('expires_ts', '>', now)
    .executeTakeFirst();
}

export async function deleteShortToken(tx: WriteTx, hash: string): Promise<void> {
  await tx.db.deleteFrom('short_tokens').where('token_hash', '=', hash).execute();
}

export async function deleteExpiredShortTokens(tx: WriteTx, now: number): Promise<void> {
  await tx.db.deleteFrom('short_tokens').where('expires_ts', '<=', now).execute();
}
