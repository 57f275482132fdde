import { randomBytes } from 'node:crypto';
import type { Generated } from 'kysely';
import type { ToDeviceOutbox as OutboxPort } from '../devices/index.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, parseJson } from '../protocol/json/index.ts';
import { type Database, idColumn, type Migrations, type ReadTx, type WriteTx } from '../storage/index.ts';

/** A message to devices of another server that it hasn't confirmed. */
export interface FederationToDeviceTable {
  readonly message_nid: Generated<number>;
  readonly destination: ServerName;
  /** The content of the ephemeral event. */
  readonly json: string;
}

declare module '../storage/tables.ts' {
  interface Tables {
    federation_to_device: FederationToDeviceTable;
  }
}

/** Creates the table. */
export const toDeviceOutboxMigrations: Migrations = {
  '0511_delivery_to_device': {
    async up(db) {
      await db.schema
        .createTable('federation_to_device')
        .addColumn('message_nid', 'integer', idColumn)
        .addColumn('destination', 'text', (c) => c.notNull())
        .addColumn('json', 'text', (c) => c.notNull())
        .execute();
      await db.schema
        .createIndex('federation_to_device_destination')
        .on('federation_to_device')
        .columns(['destination', 'message_nid'])
        .execute();
    },
  },
};

/** A message that waits. */
export interface WaitingMessage {
  readonly nid: number;
  readonly content: JsonObject;
}

const MESSAGE_ID_BYTES = 12;

/** Messages to devices of other servers: kept until the server has them, in order. Spec: server-server-api/#send-to-device-messaging */
export class ToDeviceOutbox implements OutboxPort {
  #added: (server: ServerName) => void = () => undefined;

  /** Calls `fn` after a commit with messages for a server. */
  onAdded(fn: (server: ServerName) => void): void {
    this.#added = fn;
  }

  async add(tx: WriteTx, server: ServerName, message: Parameters<OutboxPort['add']>[2]): Promise<void> {
    const content = {
      sender: message.sender,
      type: message.type,
      message_id: randomBytes(MESSAGE_ID_BYTES).toString('hex'),
      messages: Object.fromEntries(message.messages),
    };
    const row = { destination: server, json: JSON.stringify(content) };
    await tx.db.insertInto('federation_to_device').values(row).execute();
    tx.onCommit(() => this.#added(server));
  }

  /** The first messages that wait for a server. */
  async waiting(tx: ReadTx, server: ServerName, limit: number): Promise<readonly WaitingMessage[]> {
    const rows = await tx.db
      .selectFrom('federation_to_device')
      .select(['message_nid', 'json'])
      .where('destination', '=', server)
      .orderBy('message_nid')
      .limit(limit)
      .execute();
    return rows.flatMap((row) => {
      const content = parseJson(row.json);
      return isJsonObject(content) ? [{ nid: row.message_nid, content }] : [];
    });
  }

  /** The servers for which something waits. */
  async destinations(tx: ReadTx): Promise<readonly ServerName[]> {
    const rows = await tx.db.selectFrom('federation_to_device').select('destination').distinct().execute();
    return rows.map((row) => row.destination);
  }

  /** A server has the messages up to this one. */
  async confirm(database: Database, server: ServerName, upTo: number): Promise<void> {
    await database.write('main', async (tx) => {
      await tx.db
        .deleteFrom('federation_to_device')
        .where('destination', '=', server)
        .where('message_nid', '<=', upTo)
        .execute();
    });
  }
}
