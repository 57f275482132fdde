import { StorageMisuseError } from './errors.ts';

/** The last positions of all declared streams: given out in the writer, published after the commit. */
export class Positions {
  readonly #given = new Map<string, number>();
  readonly #committed = new Map<string, number>();

  /** The last committed position of a stream; every row up to it is visible to a read that starts now. */
  current(stream: string): number {
    const position = this.#committed.get(stream);
    if (position === undefined) throw new StorageMisuseError(`no such stream: ${stream}`);
    return position;
  }

  /** Sets where a stream stands, at start or after the connection was lost. */
  load(stream: string, position: number): void {
    this.#given.set(stream, position);
    this.#committed.set(stream, position);
  }

  /** Gives out the next position. For the writer only. */
  next(stream: string): number {
    const last = this.#given.get(stream);
    if (last === undefined) throw new StorageMisuseError(`no such stream: ${stream}`);
    this.#given.set(stream, last + 1);
    return last + 1;
  }

  /** The position last given out, to go back to if the job fails. For the writer only. */
  given(stream: string): number {
    return this.#given.get(stream) ?? 0;
  }

  /** Takes back what was given out after `position`. For the writer only. */
  takeBack(stream: string, position: number): void {
    this.#given.set(stream, position);
  }

  /** Makes everything given out visible. For the writer only. */
  publish(streams: Iterable<string>): void {
    for (const stream of streams) this.#committed.set(stream, this.given(stream));
  }

  /** Forgets everything given out since the last publication. For the writer only. */
  discard(streams: Iterable<string>): void {
    for (const stream of streams) this.#given.set(stream, this.#committed.get(stream) ?? 0);
  }
}
