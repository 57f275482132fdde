import type { Generated } from 'kysely';
import type { ServerName } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, parseJson } from '../protocol/json/index.ts';
import {
  bulkInsert,
  type Database,
  idColumn,
  idList,
  type Migrations,
  type ReadTx,
  textList,
  type WriteTx,
} from '../storage/index.ts';

/** An ephemeral event that another server must get even if it is away for long. */
export interface FederationEdusTable {
  readonly edu_nid: Generated<number>;
  readonly destination: ServerName;
  /** What it tells of: a newer one with the same key takes its place. */
  readonly edu_key: string;
  /** The whole ephemeral event, `{"edu_type":…,"content":…}`. */
  readonly json: string;
}

declare module '../storage/tables.ts' {
  interface Tables {
    federation_edus: FederationEdusTable;
  }
}

/** Creates the table. */
export const eduOutboxMigrations: Migrations = {
  '0512_delivery_edus': {
    async up(db) {
      await db.schema
        .createTable('federation_edus')
        .addColumn('edu_nid', 'integer', idColumn)
        .addColumn('destination', 'text', (c) => c.notNull())
        .addColumn('edu_key', 'text', (c) => c.notNull())
        .addColumn('json', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createIndex('federation_edus_key')
        .on('federation_edus')
        .columns(['destination', 'edu_key'])
        .unique()
        .execute();
    },
  },
};

/** An ephemeral event for a server, under its key. */
export interface StoredEdu {
  readonly destination: ServerName;
  readonly key: string;
  readonly edu: JsonObject;
}

/** One that waits. */
export interface WaitingEdu {
  readonly nid: number;
  readonly edu: JsonObject;
}

/**
 * Ephemeral events that outlive a restart and an outage of the other server: changes of devices, and receipts for servers
 * that can't be reached. There is one row for each thing told, so it doesn't grow while a server is away.
 */
export class EduOutbox {
  #added: (server: ServerName) => void = () => undefined;

  /** Calls `fn` after a commit with something for a server. */
  onAdded(fn: (server: ServerName) => void): void {
    this.#added = fn;
  }

  /** Adds some; those that wait under the same keys are replaced. */
  async put(tx: WriteTx, edus: readonly StoredEdu[]): Promise<void> {
    for (const [destination, ofServer] of Map.groupBy(edus, (one) => one.destination)) {
      await tx.db
        .deleteFrom('federation_edus')
        .where('destination', '=', destination)
        .where('edu_key', 'in', textList(ofServer.map(({ key }) => key)))
        .execute();
    }
    const rows = edus.map(({ destination, key, edu }) => ({ destination, edu_key: key, json: JSON.stringify(edu) }));
    await bulkInsert(tx, 'federation_edus', rows);
    tx.onCommit(() => {
      for (const server of new Set(edus.map((one) => one.destination))) this.#added(server);
    });
  }

  /** The first that wait for a server, the oldest first. */
  async waiting(tx: ReadTx, server: ServerName, limit: number): Promise<readonly WaitingEdu[]> {
    const rows = await tx.db
      .selectFrom('federation_edus')
      .select(['edu_nid', 'json'])
      .where('destination', '=', server)
      .orderBy('edu_nid')
      .limit(limit)
      .execute();
    return rows.flatMap((row) => {
      const edu = parseJson(row.json);
      return isJsonObject(edu) ? [{ nid: row.edu_nid, edu }] : [];
    });
  }

  /** The servers for which something waits. */
  async destinations(tx: ReadTx): Promise<readonly ServerName[]> {
    const rows = await tx.db.selectFrom('federation_edus').select('destination').distinct().execute();
    return rows.map((row) => row.destination);
  }

  /** The server has these. One that was replaced meanwhile has another nid, and stays. */
  async confirm(database: Database, nids: readonly number[]): Promise<void> {
    if (nids.length === 0) return;
    await database.write('main', async (tx) => {
      await tx.db.deleteFrom('federation_edus').where('edu_nid', 'in', idList(nids)).execute();
    });
  }
}
