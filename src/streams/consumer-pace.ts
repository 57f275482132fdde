/**
 * The pace of a consumer whose work nobody waits for as a rule: news gathers for a moment, so that many pieces of it share
 * one commit. Who does wait hurries it.
 */
export class ConsumerPace {
  readonly #gatherMs: number;
  readonly #waiting = new Set<{ readonly position: number; readonly resolve: () => void }>();
  #done = 0;
  #hurry: (() => void) | undefined;

  constructor(gatherMs: number) {
    this.#gatherMs = gatherMs;
  }

  /** Resolves when the consumer has done everything up to `position`, or after `timeoutMs`: it may be stuck, or not run. */
  async waitFor(position: number, timeoutMs: number): Promise<void> {
    if (position <= this.#done) return;
    await new Promise<void>((resolve) => {
      const waiting = {
        position,
        resolve: () => {
          clearTimeout(timer);
          this.#waiting.delete(waiting);
          resolve();
        },
      };
      const timer = setTimeout(waiting.resolve, timeoutMs);
      this.#waiting.add(waiting);
      this.#hurry?.();
    });
  }

  /** For the consumer: lets more news come. Ends at once while somebody waits, and when the signal aborts. */
  async gather(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#waiting.size > 0) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#hurry = undefined;
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, this.#gatherMs);
      this.#hurry = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  /** For the consumer: everything up to `position` is done. It may be less than before, where it begins anew. */
  reach(position: number): void {
    this.#done = position;
    for (const waiting of [...this.#waiting]) if (waiting.position <= position) waiting.resolve();
  }
}
