import type { ServerName } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { Database, ReadTx } from '../storage/index.ts';
import type { EduOutbox } from './edu-outbox-store.ts';
import type { StoredEdus } from './federation-destination.ts';
import type { ToDeviceOutbox } from './to-device-outbox-store.ts';

/** The ephemeral events for other servers that are in the database: messages to devices, which come first, and the rest. */
export class DurableEdus {
  readonly #database: Database;
  readonly #messages: ToDeviceOutbox;
  readonly #others: EduOutbox;

  constructor(database: Database, messages: ToDeviceOutbox, others: EduOutbox) {
    this.#database = database;
    this.#messages = messages;
    this.#others = others;
  }

  /** Calls `fn` after a commit with something for a server. */
  onAdded(fn: (server: ServerName) => void): void {
    this.#messages.onAdded(fn);
    this.#others.onAdded(fn);
  }

  /** The servers for which something waits. */
  async destinations(tx: ReadTx): Promise<readonly ServerName[]> {
    return [...(await this.#messages.destinations(tx)), ...(await this.#others.destinations(tx))];
  }

  /** At most `limit` that wait for a server, and what to do once it has them. */
  async waiting(destination: ServerName, limit: number): Promise<StoredEdus> {
    const { messages, others } = await this.#database.read(async (tx) => {
      const waiting = await this.#messages.waiting(tx, destination, limit);
      const left = limit - waiting.length;
      return { messages: waiting, others: left === 0 ? [] : await this.#others.waiting(tx, destination, left) };
    });
    const last = messages.at(-1)?.nid;
    return {
      edus: [
        ...messages.map(({ content }) => ({ edu_type: 'm.direct_to_device', content })),
        ...others.map(({ edu }) => edu),
      ],
      confirm: async () => {
        if (last !== undefined) await this.#messages.confirm(this.#database, destination, last);
        const nids = others.map(({ nid }) => nid);
        await this.#others.confirm(this.#database, nids);
      },
    };
  }

  /** Keeps ephemeral events by their keys, until the server has them. */
  async keep(destination: ServerName, edus: ReadonlyMap<string, JsonObject>): Promise<void> {
    const rows = [...edus].map(([key, edu]) => ({ destination, key, edu }));
    await this.#database.write('main', (tx) => this.#others.put(tx, rows));
  }
}
