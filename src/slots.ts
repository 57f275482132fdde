import { limitExceeded } from './protocol/errors.ts';

const RETRY_MS_DEFAULT = 5_000;

export interface SlotsOptions {
  readonly perKeyMax: number;
  readonly waitingMax: number;
  /** When those who were refused are told to come back. */
  readonly retryMs?: number;
}

/** Lets only so many things run at once under one key; the others wait, as long as they aren't too many. */
export class Slots {
  readonly #perKeyMax: number;
  readonly #waitingMax: number;
  readonly #keys = new Map<string, { running: number; readonly waiting: (() => void)[] }>();

  readonly #retryMs: number;

  constructor({ perKeyMax, waitingMax, retryMs = RETRY_MS_DEFAULT }: SlotsOptions) {
    this.#perKeyMax = perKeyMax;
    this.#waitingMax = waitingMax;
    this.#retryMs = retryMs;
  }

  /** How many keys have something going on, for tests. */
  get size(): number {
    return this.#keys.size;
  }

  /** Runs `work` when there is a place. Throws `M_LIMIT_EXCEEDED` where too many wait under this key. */
  async run<T>(key: string, work: () => Promise<T> | T): Promise<T> {
    const slot = this.#keys.get(key) ?? { running: 0, waiting: [] };
    this.#keys.set(key, slot);
    if (slot.running < this.#perKeyMax) slot.running++;
    else if (slot.waiting.length >= this.#waitingMax) throw limitExceeded(this.#retryMs);
    else await new Promise<void>((resolve) => slot.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = slot.waiting.shift();
      // The place is handed on.
      if (next !== undefined) next();
      else if (--slot.running === 0) this.#keys.delete(key);
    }
  }
}
