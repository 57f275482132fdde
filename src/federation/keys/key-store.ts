import type { ServerName } from '../../protocol/ids/index.ts';
import { type ReadTx, upsert, type WriteTx } from '../../storage/index.ts';
import type { ServerKeysTable } from '../tables.ts';

export type ServerKeyRow = ServerKeysTable;

/** All keys that we know of a server. */
export function listServerKeys(tx: ReadTx, server: ServerName): Promise<readonly ServerKeyRow[]> {
  return tx.db.selectFrom('server_keys').selectAll().where('server_name', '=', server).execute();
}

/** Keeps keys of a server. Those that it no longer names stay: old events are signed by them. */
export async function putServerKeys(tx: WriteTx, rows: readonly ServerKeyRow[]): Promise<void> {
  for (const row of rows) await upsert(tx, 'server_keys', row, ['server_name', 'key_id']);
}
