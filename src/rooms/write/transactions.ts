import type { EventId } from '../../protocol/ids/index.ts';
import type { Database } from '../../storage/types.ts';
import { deleteTransactionsBefore, findTransaction } from '../store/index.ts';
import type { ClientTransaction } from './pending.ts';

/** How long a resend is known. */
const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Makes the requests of clients idempotent: a transaction id is written with the event that it made, so that a resend,
 * even after a crash, is answered with that event; one that comes while the first is under way waits for it.
 * Spec: client-server-api/#transaction-identifiers
 */
export class Transactions {
  readonly #database: Database;
  readonly #underWay = new Map<string, Promise<EventId>>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Runs `send` unless the transaction was done before. Without a transaction it always runs. */
  once(transaction: ClientTransaction | undefined, send: () => Promise<EventId>): Promise<EventId> {
    if (transaction === undefined) return send();
    const key = JSON.stringify([transaction.userId, transaction.deviceId, transaction.scope, transaction.txnId]);
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return underWay;
    const sending = this.#findOrSend(transaction, send).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, sending);
    return sending;
  }

  /** Forgets old transactions. To be called now and then, such as once a day. */
  async deleteExpired(now: number): Promise<void> {
    await this.#database.write('main', (tx) => deleteTransactionsBefore(tx, now - KEPT_MS));
  }

  /** The event that a transaction made; undefined where it was not done. */
  find({ userId, deviceId, scope, txnId }: ClientTransaction): Promise<EventId | undefined> {
    const key = { user_id: userId, device_id: deviceId, scope, txn_id: txnId };
    return this.#database.read((tx) => findTransaction(tx, key));
  }

  async #findOrSend(transaction: ClientTransaction, send: () => Promise<EventId>): Promise<EventId> {
    return (await this.find(transaction)) ?? send();
  }
}
