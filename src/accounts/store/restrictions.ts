/** What administrators lay down for single users: shadow bans, and rate limits of their own. */
import type { Selectable } from 'kysely';
import { clustered, type Migrations, type ReadTx, type Tables, type WriteTx } from '../../storage/index.ts';

declare module '../../storage/tables.ts' {
  interface Tables {
    shadow_bans: {
      readonly user_id: string;
      readonly banned_ts: number;
    };
    rate_limit_overrides: {
      readonly user_id: string;
      /** The name of the limit, or `*` for all: then `per_second` is 0, and nothing is limited. */
      readonly name: string;
      readonly per_second: number;
      readonly burst: number;
    };
  }
}

export const restrictionsMigrations: Migrations = {
  '0105_accounts_restrictions': {
    async up({ schema }) {
      await schema
        .createTable('shadow_bans')
        .addColumn('user_id', 'text', (c) => c.primaryKey().notNull())
        .addColumn('banned_ts', 'integer', (c) => c.notNull())
        .modifyEnd(clustered)
        .execute();
      await schema
        .createTable('rate_limit_overrides')
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('name', 'text', (c) => c.notNull())
        .addColumn('per_second', 'double precision', (c) => c.notNull())
        .addColumn('burst', 'integer', (c) => c.notNull())
        .addPrimaryKeyConstraint('rate_limit_overrides_pk', ['user_id', 'name'])
        .modifyEnd(clustered)
        .execute();
    },
  },
};

/** A limit of one user. */
export type OverrideRow = Selectable<Tables['rate_limit_overrides']>;

export async function listShadowBans(tx: ReadTx): Promise<readonly string[]> {
  const rows = await tx.db.selectFrom('shadow_bans').select('user_id').execute();
  return rows.map((row) => row.user_id);
}

export async function insertShadowBan(tx: WriteTx, userId: string, bannedTs: number): Promise<void> {
  await tx.db
    .insertInto('shadow_bans')
    .values({ user_id: userId, banned_ts: bannedTs })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export async function deleteShadowBan(tx: WriteTx, userId: string): Promise<void> {
  await tx.db.deleteFrom('shadow_bans').where('user_id', '=', userId).execute();
}

export function listOverrides(tx: ReadTx): Promise<readonly OverrideRow[]> {
  return tx.db.selectFrom('rate_limit_overrides').selectAll().execute();
}

/** Puts a user's limits in the place of those they had. */
export async function replaceOverrides(tx: WriteTx, userId: string, rows: readonly OverrideRow[]): Promise<void> {
  await tx.db.deleteFrom('rate_limit_overrides').where('user_id', '=', userId).execute();
  if (rows.length > 0) await tx.db.insertInto('rate_limit_overrides').values(rows).execute();
}
