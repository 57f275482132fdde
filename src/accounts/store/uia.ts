import type { ReadTx, WriteTx } from '../../storage/index.ts';

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

/** Sets what is completed in a session, from its first stage on; one that was used up stays so. */
export async function setUiaCompleted(tx: WriteTx, hash: string, completed: string, expiresTs: number): Promise<void> {
  await tx.db
    .insertInto('uia_sessions')
    .values({ session_hash: hash, completed, expires_ts: expiresTs })
    .onConflict((conflict) =>
      conflict.column('session_hash').doUpdateSet({ completed }).where('uia_sessions.completed', '<>', UIA_USED),
    )
    .execute();
}

/** What stands in the place of the completed stages of a session that has served its purpose. */
export const UIA_USED = 'used';

/** Uses a session up, be it stored or not; false where it was used before. */
export async function useUiaSession(tx: WriteTx, hash: string, expiresTs: number): Promise<boolean> {
  const row = await tx.db
    .insertInto('uia_sessions')
    .values({ session_hash: hash, completed: UIA_USED, expires_ts: expiresTs })
    .onConflict((conflict) =>
      conflict
        .column('session_hash')
        .doUpdateSet({ completed: UIA_USED })
        .where('uia_sessions.completed', '<>', UIA_USED),
    )
    .returning('session_hash')
    .executeTakeFirst();
  return row !== undefined;
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
