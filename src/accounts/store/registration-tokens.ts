import type { ReadTx, WriteTx } from '../../storage/index.ts';
import type { RegistrationTokensTable } from './tables.ts';

export type RegistrationTokenRow = Readonly<RegistrationTokensTable>;

/** Adds a registration token. Fails with a unique violation where there is one of that name. */
export async function insertRegistrationToken(tx: WriteTx, row: RegistrationTokenRow): Promise<void> {
  await tx.db.insertInto('registration_tokens').values(row).execute();
}

/** Whether the token can be used once more at `now`. */
export async function isRegistrationTokenValid(tx: ReadTx, token: string, now: number): Promise<boolean> {
  const row = await tx.db.selectFrom('registration_tokens').selectAll().where('token', '=', token).executeTakeFirst();
  if (row === undefined || (row.expires_ts !== null && row.expires_ts <= now)) return false;
  return row.uses_allowed === null || row.completed < row.uses_allowed;
}

/** Uses the token once; false where it is used up, expired or unknown. */
export async function useRegistrationToken(tx: WriteTx, token: string, now: number): Promise<boolean> {
  const result = await tx.db
    .updateTable('registration_tokens')
    .set((eb) => ({ completed: eb('completed', '+', 1) }))
    .where('token', '=', token)
    .where((eb) => eb.or([eb('uses_allowed', 'is', null), eb('completed', '<', eb.ref('uses_allowed'))]))
    .where((eb) => eb.or([eb('expires_ts', 'is', null), eb('expires_ts', '>', now)]))
    .executeTakeFirst();
  return Number(result.numUpdatedRows) > 0;
}

/** Notes that a user agreed to documents, given by id and version. */
export async function insertConsents(
  tx: WriteTx,
  userId: string,
  documents: readonly { readonly id: string; readonly version: string }[],
  now: number,
): Promise<void> {
  for (const { id, version } of documents) {
    await tx.db
      .insertInto('terms_consents')
      .values({ user_id: userId, policy_id: id, version, accepted_ts: now })
      .onConflict((oc) => oc.doNothing())
      .execute();
  }
}
