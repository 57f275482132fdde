import type { ReadTx, WriteTx } from '../../storage/index.ts';
import { upsert } from '../../storage/index.ts';

/** The stages completed in a session, as JSON text; undefined where nothing is or where it has expired. */
export async function findUiaCompleted(tx: ReadTx, hash: string, now: number): Promise<string | undefined> {
  const row = await tx.db
    .selectFrom('uia_sessions')
    .select('completed')
    .where('session_hash', '=', hash)
    .where('expires_ts', '>', now)
    .executeTakeFirst();
  return row?.completed;
}

/** Sets what is completed in a session, from its first stage on. */
export async function setUiaCompleted(tx: WriteTx, hash: string, completed: string, expiresTs: number): Promise<void> {
  await upsert(tx, 'uia_sessions', { session_hash: hash, completed, expires_ts: expiresTs }, ['session_hash']);
}

/** Forgets a session; false where there was nothing to forget. */
export async function deleteUiaSession(tx: WriteTx, hash: string): Promise<boolean> {
  const result = await tx.db.deleteFrom('uia_sessions').where('session_hash', '=', hash).executeTakeFirst();
  return Number(result.numDeletedRows) > 0;
}

export async function deleteExpiredUiaSessions(tx: WriteTx, now: number): Promise<void> {
  await tx.db.deleteFrom('uia_sessions').where('expires_ts', '<=', now).execute();
}

/** The secret of this name; `fresh` becomes it where there is none yet. */
export async function getOrCreateSecret(tx: WriteTx, name: string, fresh: string): Promise<string> {
  await tx.db
    .insertInto('server_secrets')
    .values({ name, value: fresh })
    .onConflict((oc) => oc.doNothing())
    .execute();
  const row = await tx.db
    .selectFrom('server_secrets')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return row.value;
}
