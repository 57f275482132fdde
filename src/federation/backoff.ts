import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { upTo } from '../lru.ts';
import type { ServerName } from '../protocol/ids/index.ts';

interface Failing {
  readonly failures: number;
  readonly sinceTs: number;
  readonly retryAtTs: number;
}

const FIRST_MS = 1_000;
const FACTOR = 2;
const MINUTE_MS = 60_000;
/** What fails for so long is tried at least so often: who was away for a day is up to date minutes after its return. */
const LIMITS = [
  { failingMs: 10 * MINUTE_MS, waitMs: MINUTE_MS / 2 },
  { failingMs: 3 * 24 * 60 * MINUTE_MS, waitMs: 3 * MINUTE_MS },
] as const;
const LAST_MS = 60 * MINUTE_MS;
const REMEMBERED_MAX = 20_000;

/** Which servers don't answer, and when to try them again: after 1 s, 2 s, 4 s … up to what LIMITS say, with jitter. */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #failing = new LRUCache<ServerName, Failing>(upTo(REMEMBERED_MAX));
  readonly #listeners: ((server: ServerName) => void)[] = [];

  constructor(clock: Clock, random: () => number) {
    this.#clock = clock;
    this.#random = random;
  }

  /** How many milliseconds to leave a server in peace; 0 for none. */
  waitMs(server: ServerName): number {
    const failing = this.#failing.get(server);
    return failing === undefined ? 0 : Math.max(0, failing.retryAtTs - this.#clock.now());
  }

  isFailing(server: ServerName): boolean {
    return this.#failing.has(server);
  }

  noteFailure(server: ServerName): void {
    const before = this.#failing.get(server);
    const now = this.#clock.now();
    // Requests that failed together count as one.
    if (before !== undefined && before.retryAtTs > now) return;
    const failures = (before?.failures ?? 0) + 1;
    const sinceTs = before?.sinceTs ?? now;
    const limitMs = LIMITS.find(({ failingMs }) => now - sinceTs < failingMs)?.waitMs ?? LAST_MS;
    const full = Math.min(limitMs, FIRST_MS * FACTOR ** (failures - 1));
    this.#failing.set(server, { failures, sinceTs, retryAtTs: now + full * (0.75 + this.#random() / 2) });
  }

  /** The server answered, or asked us something: it is there. */
  noteAlive(server: ServerName): void {
    if (!this.#failing.delete(server)) return;
    for (const tell of this.#listeners) tell(server);
  }

  /** Calls `fn` when a server that failed shows up again. */
  onAlive(fn: (server: ServerName) => void): void {
    this.#listeners.push(fn);
  }
}
