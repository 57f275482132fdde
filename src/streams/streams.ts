import type { Database, StreamDeclaration } from '../storage/index.ts';

/** Declares a durable stream. A domain exports its streams; homeserver.ts hands all of them to openDatabase(). */
export function stream(declaration: StreamDeclaration): StreamDeclaration {
  return declaration;
}

/** A stream that lives in memory (typing, presence). Its positions start at the time in milliseconds: after a restart they are greater. */
export class MemoryStream {
  readonly name: string;
  #position: number;

  constructor(name: string, clock: { now(): number }) {
    this.name = name;
    this.#position = clock.now();
  }

  get current(): number {
    return this.#position;
  }

  /** Takes the next position; it is visible at once. */
  next(): number {
    this.#position++;
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

  /** The last committed position; everything up to it is visible. */
  current(name: string): number {
    return this.#memory.get(name)?.current ?? this.#database.positions.current(name);
  }
}
