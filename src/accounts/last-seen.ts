import type { Clock } from '../clock.ts';
import type { Remote, Requester } from '../http/route.ts';
import type { Database } from '../storage/index.ts';
import { noteSightings, type Sighting } from './store/devices.ts';

/** How often what was seen is written. */
const FLUSH_INTERVAL_MS = 60_000;
/** How many devices are written in one transaction, so that others needn't wait for long. */
const DEVICES_PER_WRITE_MAX = 200;

/** Remembers when and from where devices were seen, and writes it once a minute instead of at each request. */
export class LastSeen implements AsyncDisposable {
  readonly #database: Database;
  readonly #clock: Clock;
  #seen = new Map<string, Sighting>();
  readonly #timer: NodeJS.Timeout;

  constructor(database: Database, clock: Clock, onError: (error: unknown) => void) {
    this.#database = database;
    this.#clock = clock;
    this.#timer = setInterval(() => void this.flush().catch(onError), FLUSH_INTERVAL_MS);
    this.#timer.unref();
  }

  /** Notes a request. In memory only. */
  note({ userId, deviceId }: Requester, { ip, userAgent }: Remote): void {
    if (deviceId === undefined) return;
    this.#seen.set(`${userId}\0${deviceId}`, { userId, deviceId, ip, userAgent, ts: this.#clock.now() });
  }

  /** Writes what was noted since the last time. */
  async flush(): Promise<void> {
    const sightings = [...this.#seen.values()];
    this.#seen = new Map();
    for (let i = 0; i < sightings.length; i += DEVICES_PER_WRITE_MAX) {
      await this.#database.write('main', (tx) => noteSightings(tx, sightings.slice(i, i + DEVICES_PER_WRITE_MAX)));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
