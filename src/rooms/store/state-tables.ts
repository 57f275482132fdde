import type { Generated } from 'kysely';
import { idColumn } from '../../storage/schema.ts';
import type { Migrations } from '../../storage/types.ts';

declare module '../../storage/tables.ts' {
  interface Tables {
    /** Nodes of the state trees; see state-tree.ts. Never changed, shared by many states. */
    state_nodes: { node_id: Generated<number>; data: Uint8Array };
  }
}

/** The table of the state tree. */
export const stateMigrations: Migrations = {
  '0201_rooms_state_nodes': {
    async up(db) {
      await db.schema
        .createTable('state_nodes')
        .addColumn('node_id', 'integer', idColumn)
        .addColumn('data', 'blob', (column) => column.notNull())
        .execute();
    },
  },
};
