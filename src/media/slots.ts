import { limitExceeded } from '../protocol/errors.ts';

const RETRY_MS = 5_000;

/** Lets only so many things run at once under one key; the others wait, as long as they aren't too many. */
export class Slots {
  readonly #perKeyMax: number;
  readonly #waitingMax: number;
  readonly #keys = new Map<string, { running: number; readonly waiting: (() => void)[] }>();

  constructor(options: { readonly perKeyMax: number; readonly waitingMax: number }) {
    this.#perKeyMax = options.perKeyMax;
    this.#waitingMax = options.waitingMax;
  }

  /** Runs `work` when there is a place. Throws `M_LIMIT_EXCEEDED` where too many wait under this key. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const slot = this.#keys.get(key) ?? { running: 0, waiting: [] };
    this.#keys.set(key, slot);
    if (slot.running < this.#perKeyMax) slot.running++;
    else if (slot.waiting.length >= this.#waitingMax) throw limitExceeded(RETRY_MS);
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
