import type { ZodType } from 'zod';

/** What a running job is told. */
export interface JobContext {
  /** Aborts when the job has taken too long or the server stops. */
  readonly signal: AbortSignal;
  /** 1 at the first attempt. */
  readonly attempt: number;
}

export interface JobDeclaration<P> {
  /** 'domain.what'. Stored: an old name must be kept as long as such jobs may wait. */
  readonly name: string;
  readonly payload: ZodType<P>;
  /** Does it. May run more than once: after a crash, or when it took too long. Throwing means another attempt later. */
  handle(payload: P, context: JobContext): Promise<void>;
  /** After so many failures it is given up. Default 10, that is about a day. Periodic jobs are never given up. */
  readonly attemptsMax?: number;
  /** Default ten minutes. */
  readonly timeoutMs?: number;
  /** Runs again so long after each success, from the first start on; the payload is `{}`. */
  readonly everyMs?: number;
}

/** A declared job, its payload's type forgotten. */
export interface Job {
  readonly name: string;
  readonly attemptsMax: number;
  readonly timeoutMs: number;
  readonly everyMs: number | undefined;
  /** @throws ZodError when the payload has the wrong shape */
  check(payload: unknown): void;
  run(payload: unknown, context: JobContext): Promise<void>;
}

const ATTEMPTS_MAX = 10;
const TIMEOUT_MS = 600_000;

/** Declares a job: something to do later, once, that outlives a crash. */
export function job<P>(declaration: JobDeclaration<P>): Job {
  return {
    name: declaration.name,
    attemptsMax: declaration.attemptsMax ?? ATTEMPTS_MAX,
    timeoutMs: declaration.timeoutMs ?? TIMEOUT_MS,
    everyMs: declaration.everyMs,
    check: (payload) => void declaration.payload.parse(payload),
    run: (payload, context) => declaration.handle(declaration.payload.parse(payload), context),
  };
}

const BACKOFF_FIRST_MS = 5_000;
const BACKOFF_LAST_MS = 6 * 3_600_000;

/**
 * How long to wait after the n-th failure: doubling from 5 s, with jitter, at most six hours.
 * @param random in [0, 1)
 */
export function backoffMs(attempts: number, random: number): number {
  const full = Math.min(BACKOFF_FIRST_MS * 2 ** (attempts - 1), BACKOFF_LAST_MS);
  return Math.round(full * (0.5 + random / 2));
}
