/** Wakes one waiter. A ring that comes while nobody waits is kept until `reset`. Cheaper than an AbortSignal for each wait. */
export class Bell {
  #hasRung = false;
  #tell: (() => void) | undefined;

  ring(): void {
    this.#hasRung = true;
    this.#tell?.();
  }

  /** Forgets the rings before this moment. */
  reset(): void {
    this.#hasRung = false;
  }

  /** Resolves with true when it rings or has rung, with false after `timeoutMs`, if there is one. */
  async wait(timeoutMs?: number): Promise<boolean> {
    if (this.#hasRung) return true;
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#tell = undefined;
        resolve(this.#hasRung);
      };
      const timer = timeoutMs === undefined ? undefined : setTimeout(end, timeoutMs);
      timer?.unref();
      this.#tell = end;
    });
  }
}
