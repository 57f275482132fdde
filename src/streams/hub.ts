/** Called with the payload of the news, if it has one. */
export type Listener = (payload?: unknown) => void;

/**
 * Who waits for which key ('room:!id', 'user:@id', 'stream:events'). News is a hint: whoever is woken reads the tables. In memory, synchronous;
 * to listen, to leave and to wake one listener cost the same however many there are.
 */
export class Hub {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #onError: ((error: unknown) => void) | undefined;

  constructor(onError?: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Calls `fn` at each news of `key`, until the returned function is called. */
  listen(key: string, fn: Listener): () => void {
    // The same function may listen twice; each has its own end.
    const listener: Listener = (payload) => fn(payload);
    let listeners = this.#listeners.get(key);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(key, listeners);
    }
    listeners.add(listener);
    return () => {
      const now = this.#listeners.get(key);
      if (now?.delete(listener) && now.size === 0) this.#listeners.delete(key);
    };
  }

  /** Tells every listener of the keys. One that throws disturbs no other; one added meanwhile is not told. */
  wake(keys: Iterable<string>, payload?: unknown): void {
    for (const key of keys) {
      const listeners = this.#listeners.get(key);
      if (listeners === undefined) continue;
      for (const listener of [...listeners]) {
        if (listeners.has(listener)) this.#tell(listener, payload);
      }
    }
  }

  /** Resolves at the next news of `key`, or when the signal aborts. */
  once(key: string, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = () => {
        stop();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const stop = this.listen(key, end);
      signal?.addEventListener('abort', end, { once: true });
    });
  }

  /** How many keys have listeners, for metrics. */
  get keyCount(): number {
    return this.#listeners.size;
  }

  #tell(listener: Listener, payload: unknown): void {
    try {
      listener(payload);
    } catch (error) {
      this.#onError?.(error);
    }
  }
}
