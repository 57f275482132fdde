import type { Database, StreamDeclaration } from '../storage/index.ts';

/** Declares a durable stream. A domain exports its streams; homeserver.ts hands all of them to openDatabase(). */
export function stream(declaration: StreamDeclaration): StreamDeclaration {
  return declaration;
}

/** A stream that lives in memory (typing, presence). Its positions start at the time in milliseconds: after a restart they are greater. */
export class MemoryStream {
  readonly name: string;
  /** Where it began: positions before it are from an earlier run, of which nothing is known. */
  readonly start: number;
  readonly #step: number;
  #position: number;

  /** `step`: its positions are multiples of it. */
  constructor(name: string, clock: { now(): number }, step = 1) {
    this.name = name;
    this.#step = step;
    this.start = Math.ceil(clock.now() / step) * step;
    this.#position = this.start;
  }

  get current(): number {
    return this.#position;
  }

  /** Takes the next position; it is visible at once. */
  next(): number {
    this.#position += this.#step;
    return this.#position;
  }
}

/** Where every stream stands. */
export class Streams {
  readonly #database: Database;
  readonly #memory: ReadonlyMap<string, MemoryStream>;

  constructor(database: Database, memory: readonly MemoryStream[] = []) {
    this.#database = database;
    this.#memory = new Map(memory.map((one) => [one.name, one]));
  }

  /** Where a stream in memory began; 0 for durable ones, which go on. */
  start(name: string): number {
    return this.#memory.get(name)?.start ?? 0;
  }

  /** The last committed position; everything up to it is visible. */
  current(name: string): number {
    return this.#memory.get(name)?.current ?? this.#database.positions.current(name);
  }
}
