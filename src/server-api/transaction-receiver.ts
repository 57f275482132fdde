import { LRUCache } from 'lru-cache';
import type { ServerName } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, type JsonValue, readObject, readString } from '../protocol/json/index.ts';
import type { FederatedRooms } from '../rooms/index.ts';

/** A transaction of another server. */
export interface Transaction {
  readonly origin: ServerName;
  readonly txnId: string;
  readonly pdus: readonly JsonObject[];
  readonly edus: readonly JsonValue[];
}

/** Takes an ephemeral event; throws where it is of no use, which spoils nothing else. */
export type EduHandler = (origin: ServerName, content: JsonObject) => Promise<void> | void;

/** What happens where nobody waits for it. */
export interface EduLog {
  info(fields: object, message: string): void;
}

const REMEMBERED_MAX = 5_000;

/**
 * Takes transactions. The same one again gets the same answer; after a restart its events are known by their ids.
 * Spec: server-server-api/#transactions
 */
export class TransactionReceiver {
  readonly #federated: FederatedRooms;
  readonly #edus: ReadonlyMap<string, EduHandler>;
  readonly #log: EduLog;
  readonly #answers = new LRUCache<string, Promise<object>>({ max: REMEMBERED_MAX });

  constructor(federated: FederatedRooms, edus: ReadonlyMap<string, EduHandler>, log: EduLog) {
    this.#federated = federated;
    this.#edus = edus;
    this.#log = log;
  }

  receive(transaction: Transaction): Promise<object> {
    const key = `${transaction.origin}\0${transaction.txnId}`;
    let answer = this.#answers.get(key);
    if (answer === undefined) {
      answer = this.#process(transaction);
      this.#answers.set(key, answer);
      answer.catch(() => this.#answers.delete(key));
    }
    return answer;
  }

  async #process({ origin, pdus, edus }: Transaction): Promise<object> {
    const outcomes = await this.#federated.receiver.receive(origin, pdus);
    for (const edu of edus) await this.#processEdu(origin, edu);
    const answers = [...outcomes].map(([eventId, error]) => [eventId, error === undefined ? {} : { error }] as const);
    return { pdus: Object.fromEntries(answers) };
  }

  async #processEdu(origin: ServerName, edu: JsonValue): Promise<void> {
    if (!isJsonObject(edu)) return;
    const type = readString(edu, 'edu_type') ?? '';
    const content = readObject(edu, 'content');
    const handle = this.#edus.get(type);
    if (handle === undefined || content === undefined) return;
    try {
      await handle(origin, content);
    } catch (error) {
      this.#log.info({ err: error, origin, type }, 'an ephemeral event of another server was of no use');
    }
  }
}
