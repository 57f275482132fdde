/**
 * Rate limits: token buckets in memory. A bucket is one number, the time at which it would be full again, so that a
 * check costs a look-up and no timer.
 */

import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { RATE_LIMITS, type RateLimit, type RateLimitName } from '../config/index.ts';
import { upTo } from '../lru.ts';
import { limitExceeded } from '../protocol/errors.ts';

/** How many buckets are remembered; the least recently used go first (they are the fullest ones in practice). */
const BUCKETS_MAX = 100_000;

export interface RateLimitOptions {
  readonly clock: Clock;
  /** False switches all limits off. */
  readonly enabled?: boolean;
  /** Figures that differ from `RATE_LIMITS`. */
  readonly limits?: Readonly<Partial<Record<RateLimitName, RateLimit>>>;
  /**
   * A user's own figures: `exempt` for none, undefined for the usual ones. Called at each check with the key (a user id
   * or an address), so it must be a look-up in memory.
   */
  readonly override?: (key: string, name: RateLimitName) => RateLimit | 'exempt' | undefined;
}

/** The limiters of a server, by name. */
export class RateLimits {
  readonly #clock: Clock;
  readonly #enabled: boolean;
  readonly #limits: Readonly<Record<RateLimitName, RateLimit>>;
  #override: RateLimitOptions['override'];
  readonly #fullAt = new LRUCache<string, number>(upTo(BUCKETS_MAX));

  constructor(options: RateLimitOptions) {
    this.#clock = options.clock;
    this.#enabled = options.enabled ?? true;
    this.#limits = { ...RATE_LIMITS, ...options.limits };
    this.#override = options.override;
  }

  /** Where users' own figures come from, as `override` in the options. */
  overrideBy(override: NonNullable<RateLimitOptions['override']>): void {
    this.#override = override;
  }

  /** Takes `count` tokens from the bucket of `key`; throws 429 `M_LIMIT_EXCEEDED` and takes none if it holds fewer. */
  take(name: RateLimitName, key: string, count = 1): void {
    const waitMs = this.tryTake(name, key, count);
    if (waitMs > 0) throw limitExceeded(waitMs);
  }

  /** Takes `count` tokens and answers 0, or takes none and answers how many milliseconds to wait. */
  tryTake(name: RateLimitName, key: string, count = 1): number {
    return this.#spend(name, key, count, true);
  }

  /** As `take`, but more than the bucket ever holds count as much as it holds: for things that are done together. */
  takeTogether(name: RateLimitName, key: string, count: number): void {
    const limit = this.#override?.(key, name) ?? this.#limits[name];
    if (limit !== 'exempt' && count > 0) this.take(name, key, Math.min(count, limit.burst));
  }

  /** How many milliseconds until `count` tokens are there; 0 if they are. Takes none: for limits on failures only. */
  waitMs(name: RateLimitName, key: string, count = 1): number {
    return this.#spend(name, key, count, false);
  }

  /** Fills the bucket of `key` again, as after a successful log-in. */
  reset(name: RateLimitName, key: string): void {
    this.#fullAt.delete(`${name}\0${key}`);
  }

  #spend(name: RateLimitName, key: string, count: number, take: boolean): number {
    if (!this.#enabled) return 0;
    const limit = this.#override?.(key, name) ?? this.#limits[name];
    if (limit === 'exempt') return 0;
    const now = this.#clock.now();
    const tokenMs = 1000 / limit.perSecond;
    const bucketKey = `${name}\0${key}`;
    const fullAt = Math.max(now, this.#fullAt.get(bucketKey) ?? 0) + count * tokenMs;
    // A bucket that takes longer than `burst` tokens' time to fill would have gone below nothing.
    const waitMs = fullAt - now - limit.burst * tokenMs;
    if (waitMs > ROUNDING_MS) return waitMs;
    if (take) this.#fullAt.set(bucketKey, fullAt);
    return 0;
  }
}

/** Sums of fractions of milliseconds are not exact. */
const ROUNDING_MS = 0.001;
