/** Who our users are at the providers of single sign-on. */
import type { UserId } from '../../protocol/ids/index.ts';
import { clustered, type Migrations, type ReadTx, type WriteTx } from '../../storage/index.ts';

/** One identity of a user elsewhere. */
export interface ExternalIdRow {
  /** The provider's id in the configuration. */
  readonly provider: string;
  /** The user at the provider, as it says for good. */
  readonly subject: string;
  readonly user_id: string;
  readonly created_ts: number;
}

declare module '../../storage/tables.ts' {
  interface Tables {
    external_ids: ExternalIdRow;
  }
}

export const externalIdsMigrations: Migrations = {
  '0103_accounts_external_ids': {
    async up({ schema }) {
      await schema
        .createTable('external_ids')
        .addColumn('provider', 'text', (c) => c.notNull())
        .addColumn('subject', 'text', (c) => c.notNull())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('created_ts', 'integer', (c) => c.notNull())
        .addPrimaryKeyConstraint('external_ids_pk', ['provider', 'subject'])
        .modifyEnd(clustered)
        .execute();
      await schema.createIndex('external_ids_by_user').on('external_ids').column('user_id').execute();
    },
  },
};

export async function findUserByExternalId(tx: ReadTx, provider: string, subject: string): Promise<string | undefined> {
  const row = await tx.db
    .selectFrom('external_ids')
    .select('user_id')
    .where('provider', '=', provider)
    .where('subject', '=', subject)
    .executeTakeFirst();
  return row?.user_id;
}

export function externalIdsOf(tx: ReadTx, userId: UserId): Promise<readonly ExternalIdRow[]> {
  return tx.db.selectFrom('external_ids').selectAll().where('user_id', '=', userId).orderBy('provider').execute();
}

/** Fails with a unique violation where the identity belongs to somebody. */
export async function insertExternalId(tx: WriteTx, row: ExternalIdRow): Promise<void> {
  await tx.db.insertInto('external_ids').values(row).execute();
}
