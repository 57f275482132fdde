import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, textList, upsert, type WriteTx } from '../../storage/index.ts';
import type { CrossSigningKeysTable, CrossSigningUsage, KeySignaturesTable } from './tables.ts';

export type CrossSigningKeyRow = CrossSigningKeysTable;
export type KeySignatureRow = KeySignaturesTable;

/** A user's cross-signing keys: three at most. */
export function crossSigningKeysOf(tx: ReadTx, userId: UserId): Promise<readonly CrossSigningKeyRow[]> {
  return tx.run(keysOfUser, { userId });
}

export async function putCrossSigningKey(tx: WriteTx, row: CrossSigningKeyRow): Promise<void> {
  await upsert(tx, 'cross_signing_keys', row, ['user_id', 'usage']);
}

export async function deleteCrossSigningKey(tx: WriteTx, userId: UserId, usage: CrossSigningUsage): Promise<void> {
  await tx.db.deleteFrom('cross_signing_keys').where('user_id', '=', userId).where('usage', '=', usage).execute();
}

/** Deletes all cross-signing keys of a user, and all signatures by and on them. */
export async function deleteAllCrossSigning(tx: WriteTx, userId: UserId): Promise<void> {
  await tx.db.deleteFrom('cross_signing_keys').where('user_id', '=', userId).execute();
  await tx.db
    .deleteFrom('key_signatures')
    .where((eb) => eb.or([eb('signer', '=', userId), eb('target_user', '=', userId)]))
    .execute();
}

/** What a user signed of the own keys. */
export function ownSignaturesOf(tx: ReadTx, userId: UserId): Promise<readonly KeySignatureRow[]> {
  return tx.run(ownSignatures, { userId });
}

/** What a user signed of others' keys. */
export function signaturesOfOthersBy(tx: ReadTx, userId: UserId): Promise<readonly KeySignatureRow[]> {
  return tx.run(signaturesOfOthers, { userId });
}

/** Inserts or replaces a signature. */
export async function putSignature(tx: WriteTx, row: KeySignatureRow): Promise<void> {
  await upsert(tx, 'key_signatures', row, ['signer', 'target_user', 'target', 'signing_key']);
}

/** Deletes all signatures on keys of a user, by whomever they are. */
export async function deleteSignaturesOn(tx: WriteTx, userId: UserId, targets: readonly string[]): Promise<void> {
  await tx.db
    .deleteFrom('key_signatures')
    .where('target_user', '=', userId)
    .where('target', 'in', textList(targets))
    .execute();
}

/** Deletes all signatures that a user made with some keys. */
export async function deleteSignaturesBy(tx: WriteTx, signer: UserId, signingKeys: readonly string[]): Promise<void> {
  await tx.db
    .deleteFrom('key_signatures')
    .where('signer', '=', signer)
    .where('signing_key', 'in', textList(signingKeys))
    .execute();
}

const keysOfUser = compiledOnce<{ userId: UserId }>()((db, p) =>
  db.selectFrom('cross_signing_keys').selectAll().where('user_id', '=', p('userId')),
);

const ownSignatures = compiledOnce<{ userId: UserId }>()((db, p) =>
  db.selectFrom('key_signatures').selectAll().where('signer', '=', p('userId')).where('target_user', '=', p('userId')),
);

const signaturesOfOthers = compiledOnce<{ userId: UserId }>()((db, p) =>
  db.selectFrom('key_signatures').selectAll().where('signer', '=', p('userId')).where('target_user', '!=', p('userId')),
);
