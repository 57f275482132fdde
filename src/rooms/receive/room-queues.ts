import type { RoomId } from '../../protocol/ids/index.ts';

/** Work that waits for one room; more is refused. */
const WAITING_MAX = 1_000;

/** What comes from other servers for a room is done one after the other; rooms don't wait for each other. */
export class RoomQueues {
  readonly #last = new Map<RoomId, { promise: Promise<unknown>; waiting: number }>();

  /** Runs `work` when all earlier work for the room is done. */
  async run<T>(roomId: RoomId, work: () => Promise<T>): Promise<T> {
    const queue = this.#last.get(roomId) ?? { promise: Promise.resolve(), waiting: 0 };
    if (queue.waiting >= WAITING_MAX) throw new Error(`too much is waiting for ${roomId}`);
    this.#last.set(roomId, queue);
    queue.waiting++;
    const before = queue.promise;
    const done = before.then(work, work).finally(() => {
      queue.waiting--;
      if (queue.waiting === 0) this.#last.delete(roomId);
    });
    queue.promise = done.catch(() => undefined);
    return done;
  }
}
