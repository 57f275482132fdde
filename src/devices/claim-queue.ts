import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database } from '../storage/index.ts';
import type { Claim, OneTimeKeys } from './one-time-keys.ts';
import type { ClaimedKey } from './store/one-time-keys.ts';

/** Requests that share a transaction; further ones get the next. */
const REQUESTS_MAX = 128;

interface Waiting {
  readonly claims: readonly Claim[];
  readonly resolve: (keys: readonly (ClaimedKey | undefined)[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Claims of many requests in one transaction. What a claim costs is mostly its commit, and clients that start to encrypt
 * claim all at once: those that come within the same moment share one.
 */
export class ClaimQueue {
  readonly #database: Database;
  readonly #oneTimeKeys: OneTimeKeys;
  #waiting: Waiting[] = [];

  constructor(database: Database, oneTimeKeys: OneTimeKeys) {
    this.#database = database;
    this.#oneTimeKeys = oneTimeKeys;
  }

  /** Takes a key for each claim, in their order; undefined where there is none. Resolves once that is durable. */
  claim(claims: readonly Claim[]): Promise<readonly (ClaimedKey | undefined)[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ claims, resolve, reject });
      if (this.#waiting.length === 1) void this.#run();
    });
  }

  async #run(): Promise<void> {
    // One more look at the sockets brings those who asked in the same moment.
    await nextTurn();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < waiting.length; start += REQUESTS_MAX) {
      await this.#runBatch(waiting.slice(start, start + REQUESTS_MAX));
    }
  }

  /** Never throws: what happens is told to those who wait. */
  async #runBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const found = await this.#database.write('main', async (tx) => {
        const all: (readonly (ClaimedKey | undefined)[])[] = [];
        for (const { claims } of batch) {
          const keys: (ClaimedKey | undefined)[] = [];
          for (const claim of claims) keys.push(await this.#oneTimeKeys.claim(tx, claim));
          all.push(keys);
        }
        return all;
      });
      for (const [index, { resolve }] of batch.entries()) resolve(found[index] ?? []);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
