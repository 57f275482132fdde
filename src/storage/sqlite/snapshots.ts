import { StorageUnavailableError } from '../errors.ts';
import { SqliteConnection } from './connection.ts';

const CONNECTIONS_MAX = 64;
const IDLE_MAX = 4;

/** A reading connection and how many reads are on it. */
export interface SnapshotSeat {
  readonly connection: SqliteConnection;
  reads: number;
  isPinned: boolean;
}

/**
 * Gives each read one snapshot, without a BEGIN for the usual short one. Only this process writes, and only between two
 * turns of JavaScript; so as long as nothing was committed, statements outside a transaction see the same database. Just
 * before a commit the writer calls pin(): the reads that are under way keep their connection, now inside a transaction
 * begun in time, and later reads get another connection.
 */
export class Snapshots {
  readonly #path: string;
  readonly #cacheBytesMax: number;
  readonly #idle: SnapshotSeat[] = [];
  #current: SnapshotSeat;
  #connectionCount = 0;
  #isClosed = false;

  constructor(path: string, cacheBytesMax: number) {
    this.#path = path;
    this.#cacheBytesMax = cacheBytesMax;
    this.#current = this.#open();
  }

  /** A seat on the newest snapshot, at the first statement of a read. */
  enter(): SnapshotSeat {
    if (this.#isClosed) throw new StorageUnavailableError('the database is closed');
    this.#current.reads++;
    return this.#current;
  }

  /** The read has ended. */
  leave(seat: SnapshotSeat): void {
    seat.reads--;
    if (seat.reads > 0) return;
    if (seat.isPinned) {
      seat.connection.raw.exec('COMMIT');
      seat.isPinned = false;
      if (this.#isClosed || this.#idle.length >= IDLE_MAX) this.#close(seat);
      else this.#idle.push(seat);
    } else if (this.#isClosed) {
      this.#close(seat);
    }
  }

  /** Holds the snapshot of the reads under way; the writer calls it directly before COMMIT. */
  pin(): void {
    const seat = this.#current;
    if (seat.reads === 0) return;
    const next = this.#idle.pop() ?? this.#open();
    // A deferred transaction takes its snapshot at its first read.
    seat.connection.raw.exec('BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1');
    seat.isPinned = true;
    this.#current = next;
  }

  close(): void {
    this.#isClosed = true;
    for (const seat of this.#idle.splice(0)) this.#close(seat);
    if (this.#current.reads === 0) this.#close(this.#current);
  }

  #open(): SnapshotSeat {
    if (this.#connectionCount >= CONNECTIONS_MAX) {
      throw new StorageUnavailableError(`${CONNECTIONS_MAX} snapshots are held by unfinished reads`);
    }
    const connection = new SqliteConnection(this.#path, { readonly: true, cacheBytesMax: this.#cacheBytesMax });
    this.#connectionCount++;
    return { connection, reads: 0, isPinned: false };
  }

  #close(seat: SnapshotSeat): void {
    seat.connection.close();
    this.#connectionCount--;
  }
}
