import { StorageMisuseError } from './errors.ts';
import type { Positions } from './positions.ts';

/** The part of a job's transaction that is the same on both dialects: its life, its positions, its callbacks. */
export abstract class WriterTx {
  readonly #positions: Positions;
  /** Before this job, for each stream it took a position of. */
  readonly #before = new Map<string, number>();
  readonly #callbacks: (() => void)[] = [];
  #isOver = false;
  #failure: unknown;
  #onIdle: (() => void) | undefined;
  /** Statements sent and not yet answered; always 0 between turns on SQLite. */
  #pendingCount = 0;

  constructor(positions: Positions) {
    this.#positions = positions;
  }

  onCommit(fn: () => void): void {
    this.assertAlive();
    this.#callbacks.push(fn);
  }

  nextPosition(stream: string): number {
    this.assertAlive();
    if (!this.#before.has(stream)) this.#before.set(stream, this.#positions.given(stream));
    return this.#positions.next(stream);
  }

  /** After this every use is refused: a forgotten await must not write into somebody else's job. */
  end(): void {
    this.#isOver = true;
    this.#onIdle = undefined;
  }

  /**
   * A job in which a statement failed fails, even if it caught the error: PostgreSQL runs nothing more in such a
   * transaction, and SQLite must not behave differently.
   */
  assertNothingFailed(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Gives back the positions of a failed job. */
  takeBackPositions(): void {
    for (const [stream, position] of this.#before) this.#positions.takeBack(stream, position);
  }

  get streams(): Iterable<string> {
    return this.#before.keys();
  }

  get callbacks(): readonly (() => void)[] {
    return this.#callbacks;
  }

  get pendingCount(): number {
    return this.#pendingCount;
  }

  /** Called whenever the last answer has come in. */
  watch(onIdle: () => void): void {
    this.#onIdle = onIdle;
  }

  protected assertAlive(): void {
    if (this.#isOver)
      throw new StorageMisuseError('this transaction is over: every statement must be awaited in its job');
  }

  /** Remembers that a statement failed. */
  protected failed(error: unknown): unknown {
    this.#failure ??= error;
    return error;
  }

  /** Counts a statement that is on its way to a server. */
  protected async pending<T>(answer: Promise<T>): Promise<T> {
    this.#pendingCount++;
    try {
      return await answer;
    } catch (error) {
      throw this.failed(error);
    } finally {
      this.#pendingCount--;
      if (this.#pendingCount === 0) this.#onIdle?.();
    }
  }
}
