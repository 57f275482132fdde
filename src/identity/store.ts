/** The table of what users have published at identity servers through us. */
import type { UserId } from '../protocol/ids/index.ts';
import { clustered, type Migrations, type ReadTx, upsert, type WriteTx } from '../storage/index.ts';

declare module '../storage/tables.ts' {
  interface Tables {
    identity_bindings: BindingRow;
  }
}

export interface BindingRow {
  readonly user_id: UserId;
  readonly medium: string;
  readonly address: string;
  readonly id_server: string;
}

export const identityMigrations: Migrations = {
  '0740_identity_bindings': {
    async up({ schema }) {
      await schema
        .createTable('identity_bindings')
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('medium', 'text', (c) => c.notNull())
        .addColumn('address', 'text', (c) => c.notNull())
        .addColumn('id_server', 'text', (c) => c.notNull())
        .addPrimaryKeyConstraint('identity_bindings_pk', ['user_id', 'medium', 'address', 'id_server'])
        .modifyEnd(clustered)
        .execute();
    },
  },
};

export function bindingsOf(tx: ReadTx, userId: UserId): Promise<readonly BindingRow[]> {
  return tx.db.selectFrom('identity_bindings').selectAll().where('user_id', '=', userId).execute();
}

export async function insertBinding(tx: WriteTx, row: BindingRow): Promise<void> {
  await upsert(tx, 'identity_bindings', row, ['user_id', 'medium', 'address', 'id_server']);
}

export async function deleteBinding(tx: WriteTx, row: BindingRow): Promise<void> {
  await tx.db
    .deleteFrom('identity_bindings')
    .where('user_id', '=', row.user_id)
    .where('medium', '=', row.medium)
    .where('address', '=', row.address)
    .where('id_server', '=', row.id_server)
    .execute();
}
