/** The tables of e-mail addresses: which belong to whom, and which are being validated. */
import type { UserId } from '../../protocol/ids/index.ts';
import { clustered, type Migrations, type ReadTx, type WriteTx } from '../../storage/index.ts';

declare module '../../storage/tables.ts' {
  interface Tables {
    threepids: ThreePidRow;
    email_validations: ValidationRow;
  }
}

export interface ThreePidRow {
  readonly medium: string;
  readonly address: string;
  readonly user_id: string;
  readonly validated_ts: number;
  readonly added_ts: number;
}

export interface ValidationRow {
  readonly sid: string;
  readonly client_secret: string;
  readonly address: string;
  readonly purpose: string;
  readonly send_attempt: number;
  /** SHA-256 of the token in the message. */
  readonly token_hash: string;
  readonly next_link: string | null;
  readonly validated_ts: number | null;
  readonly expires_ts: number;
}

export const threePidMigrations: Migrations = {
  '0102_accounts_threepids': {
    async up({ schema }) {
      await schema
        .createTable('threepids')
        .addColumn('medium', 'text', (c) => c.notNull())
        .addColumn('address', 'text', (c) => c.notNull())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('validated_ts', 'integer', (c) => c.notNull())
        .addColumn('added_ts', 'integer', (c) => c.notNull())
        .addPrimaryKeyConstraint('threepids_pk', ['medium', 'address'])
        .modifyEnd(clustered)
        .execute();
      await schema.createIndex('threepids_user').on('threepids').column('user_id').execute();
      await schema
        .createTable('email_validations')
        .addColumn('sid', 'text', (c) => c.primaryKey().notNull())
        .addColumn('client_secret', 'text', (c) => c.notNull())
        .addColumn('address', 'text', (c) => c.notNull())
        .addColumn('purpose', 'text', (c) => c.notNull())
        .addColumn('send_attempt', 'integer', (c) => c.notNull())
        .addColumn('token_hash', 'text', (c) => c.notNull())
        .addColumn('next_link', 'text')
        .addColumn('validated_ts', 'integer')
        .addColumn('expires_ts', 'integer', (c) => c.notNull())
        .execute();
      await schema.createIndex('email_validations_expiry').on('email_validations').column('expires_ts').execute();
    },
  },
};

export function findThreePid(tx: ReadTx, medium: string, address: string): Promise<ThreePidRow | undefined> {
  return tx.db
    .selectFrom('threepids')
    .selectAll()
    .where('medium', '=', medium)
    .where('address', '=', address)
    .executeTakeFirst();
}

export function threePidsOf(tx: ReadTx, userId: UserId): Promise<readonly ThreePidRow[]> {
  return tx.db.selectFrom('threepids').selectAll().where('user_id', '=', userId).orderBy('address').execute();
}

export async function insertThreePid(tx: WriteTx, row: ThreePidRow): Promise<void> {
  await tx.db
    .insertInto('threepids')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

export async function deleteThreePid(tx: WriteTx, userId: UserId, medium: string, address: string): Promise<void> {
  await tx.db
    .deleteFrom('threepids')
    .where('user_id', '=', userId)
    .where('medium', '=', medium)
    .where('address', '=', address)
    .execute();
}

export async function deleteThreePidsOf(tx: WriteTx, userId: UserId): Promise<void> {
  await tx.db.deleteFrom('threepids').where('user_id', '=', userId).execute();
}

export function findValidation(tx: ReadTx, sid: string, now: number): Promise<ValidationRow | undefined> {
  return tx.db
    .selectFrom('email_validations')
    .selectAll()
    .where('sid', '=', sid)
    .where('expires_ts', '>', now)
    .executeTakeFirst();
}

/** The validation that an earlier attempt of the same client started. */
export function findAttempt(
  tx: ReadTx,
  { clientSecret, address, purpose, now }: { clientSecret: string; address: string; purpose: string; now: number },
): Promise<ValidationRow | undefined> {
  return tx.db
    .selectFrom('email_validations')
    .selectAll()
    .where('client_secret', '=', clientSecret)
    .where('address', '=', address)
    .where('purpose', '=', purpose)
    .where('expires_ts', '>', now)
    .executeTakeFirst();
}

export async function insertValidation(tx: WriteTx, row: ValidationRow): Promise<void> {
  await tx.db.insertInto('email_validations').values(row).execute();
}

export async function updateValidation(tx: WriteTx, sid: string, change: Partial<ValidationRow>): Promise<void> {
  await tx.db.updateTable('email_validations').set(change).where('sid', '=', sid).execute();
}

export async function deleteValidation(tx: WriteTx, sid: string): Promise<void> {
  await tx.db.deleteFrom('email_validations').where('sid', '=', sid).execute();
}

export async function deleteExpiredValidations(tx: WriteTx, now: number): Promise<void> {
  await tx.db.deleteFrom('email_validations').where('expires_ts', '<=', now).execute();
}
