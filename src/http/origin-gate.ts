import pLimit, { type LimitFunction } from 'p-limit';
import { limitExceeded } from '../protocol/errors.ts';

/** Requests of one server that are worked on at once. */
const CONCURRENT_MAX = 16;
/** More than these in the queue are refused. */
const WAITING_MAX = 200;
const COME_BACK_MS = 2_000;

/**
 * How much of this server another server may have at a time: its requests are worked on a few at once, further ones wait for
 * their turn, so that none keeps the others from being served.
 */
export class OriginGate {
  readonly #limits = new Map<string, LimitFunction>();

  /** Does the work when it is the server's turn. @throws M_LIMIT_EXCEEDED where too much waits already */
  async run<T>(origin: string, work: () => Promise<T> | T): Promise<T> {
    let limit = this.#limits.get(origin);
    if (limit === undefined) {
      limit = pLimit(CONCURRENT_MAX);
      this.#limits.set(origin, limit);
    }
    if (limit.pendingCount >= WAITING_MAX) throw limitExceeded(COME_BACK_MS);
    try {
      return await limit(work);
    } finally {
      // p-limit lowers its count only after this turn.
      setImmediate(() => this.#forgetIdle(origin));
    }
  }

  #forgetIdle(origin: string): void {
    const limit = this.#limits.get(origin);
    if (limit?.activeCount === 0 && limit.pendingCount === 0) this.#limits.delete(origin);
  }

  /** How many servers have something going on, for tests. */
  get size(): number {
    return this.#limits.size;
  }
}
