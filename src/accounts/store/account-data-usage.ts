/** How much account data users have, counted with each write: adding it up each time would read all of it. */
import { sql } from 'kysely';
import { clustered, type Migrations, type ReadTx, type Tables, type WriteTx } from '../../storage/index.ts';

declare module '../../storage/tables.ts' {
  interface Tables {
    account_data_usage: {
      readonly user_id: string;
      /** Pieces of account data, deleted ones too: their rows stay. */
      readonly items: number;
      /** Of all contents together. */
      readonly chars: number;
    };
  }
}

export const accountDataUsageMigrations: Migrations = {
  '0106_accounts_data_usage': {
    async up(db) {
      await db.schema
        .createTable('account_data_usage')
        .addColumn('user_id', 'text', (c) => c.primaryKey().notNull())
        .addColumn('items', 'integer', (c) => c.notNull())
        .addColumn('chars', 'integer', (c) => c.notNull())
        .modifyEnd(clustered)
        .execute();
      await sql`insert into account_data_usage (user_id, items, chars)
        select user_id, count(*), sum(length(content)) from account_data
        where type not in ('m.fully_read', 'm.push_rules') group by user_id`.execute(db);
    },
  },
};

/** What a user has, or what a write adds to it. */
export type AccountDataUsage = Readonly<Omit<Tables['account_data_usage'], 'user_id'>>;

/** What a user has. */
export async function findAccountDataUsage(tx: ReadTx, userId: string): Promise<AccountDataUsage> {
  const row = await tx.db
    .selectFrom('account_data_usage')
    .select(['items', 'chars'])
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return row ?? { items: 0, chars: 0 };
}

/** Counts a write. */
export async function addAccountDataUsage(
  tx: WriteTx,
  userId: string,
  { items, chars }: AccountDataUsage,
): Promise<void> {
  await tx.db
    .insertInto('account_data_usage')
    .values({ user_id: userId, items, chars })
    .onConflict((oc) =>
      oc.column('user_id').doUpdateSet((eb) => ({
        items: eb('account_data_usage.items', '+', items),
        chars: eb('account_data_usage.chars', '+', chars),
      })),
    )
    .execute();
}

/** Forgets what was counted for a user whose account data are gone. */
export async function deleteAccountDataUsage(tx: WriteTx, userId: string): Promise<void> {
  await tx.db.deleteFrom('account_data_usage').where('user_id', '=', userId).execute();
}
