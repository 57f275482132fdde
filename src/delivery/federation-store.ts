import type { EventId, RoomId, ServerName, UserId } from '../protocol/ids/index.ts';
import { clustered, compiledOnce, type Migrations, type ReadTx, upsert, type WriteTx } from '../storage/index.ts';

/** A server that didn't take what we sent. Servers that keep up have no row. */
export interface FederationDestinationsTable {
  readonly destination: ServerName;
  /** It has everything up to this position of the stream 'events', and maybe nothing after it. */
  readonly behind_from: number;
  readonly failing_since_ts: number;
}

declare module '../storage/tables.ts' {
  interface Tables {
    federation_destinations: FederationDestinationsTable;
  }
}

/** Creates the tables of what is sent to other servers. */
export const federationDeliveryMigrations: Migrations = {
  '0510_delivery_destinations': {
    async up(db) {
      await db.schema
        .createTable('federation_destinations')
        .addColumn('destination', 'text', (c) => c.primaryKey())
        .addColumn('behind_from', 'integer', (c) => c.notNull())
        .addColumn('failing_since_ts', 'integer', (c) => c.notNull())
        .modifyEnd(clustered)
        .execute();
    },
  },
};

/** As much of an event as decides to whom it goes. */
export interface OutgoingRow {
  readonly nid: number;
  readonly room_nid: number;
  readonly event_id: EventId;
  readonly position: number | null;
  readonly type: string;
  readonly state_key: string | null;
  readonly sender: UserId;
  readonly state_before: number;
  /** The server that the event came through us from; null: not to be sent on. */
  readonly origin: string | null;
}

/** The events after a position up to another one, of all rooms, in order. */
export function listOutgoing(tx: ReadTx, from: number, to: number, limit: number): Promise<readonly OutgoingRow[]> {
  return tx.run(outgoing, { from, to, limit });
}

/** The rooms with these ids, each with the root of its current state. */
export function listStateRoots(
  tx: ReadTx,
  roomIds: readonly RoomId[],
): Promise<readonly { readonly room_nid: number; readonly state_root: number }[]> {
  return tx.run(stateRoots, { roomIds });
}

const stateRoots = compiledOnce<{ roomIds: readonly RoomId[] }>()((db, p) =>
  db.selectFrom('rooms').select(['room_nid', 'state_root']).where('room_id', 'in', p.texts('roomIds')),
);

export function listBehind(tx: ReadTx): Promise<readonly FederationDestinationsTable[]> {
  return tx.db.selectFrom('federation_destinations').selectAll().execute();
}

export async function putBehind(tx: WriteTx, row: FederationDestinationsTable): Promise<void> {
  await upsert(tx, 'federation_destinations', row, ['destination']);
}

export async function deleteBehind(tx: WriteTx, destination: ServerName): Promise<void> {
  await tx.db.deleteFrom('federation_destinations').where('destination', '=', destination).execute();
}

const outgoing = compiledOnce<{ from: number; to: number; limit: number }>()((db, p) =>
  db
    .selectFrom('events')
    .leftJoin('relayed_events', 'relayed_events.event_nid', 'events.nid')
    .select([
      'events.nid',
      'events.room_nid',
      'events.event_id',
      'events.position',
      'events.type',
      'events.state_key',
      'events.sender',
      'events.state_before',
      'relayed_events.origin',
    ])
    .where('events.position', '>', p('from'))
    .where('events.position', '<=', p('to'))
    .orderBy('events.position', 'asc')
    .limit(p('limit')),
);
