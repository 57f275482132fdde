import { setTimeout as delay } from 'node:timers/promises';
import { JOBS_KEY, type JobsDeps } from './deps.ts';
import { backoffMs, type Job } from './job.ts';
import { addJob, claimJobs, deleteJob, freeAllLeases, type JobRow, nextDueTs, renewLease, returnJob } from './store.ts';

const CONCURRENCY_MAX = 8;
const LEASE_MS = 60_000;
const RENEW_MS = LEASE_MS / 3;
/** The longest sleep without news; also the pause after the database failed. */
const SLEEP_MS_MAX = 60_000;
const RETRY_MS = 1_000;
const SHUTDOWN_MS_MAX = 5_000;
const ERROR_CHARS_MAX = 2_000;
const PERIODIC_KEY = 'periodic';

/** Runs due jobs of the declared names. Made by Jobs.start(). */
export class JobRunner implements AsyncDisposable {
  readonly #deps: JobsDeps;
  readonly #declared: ReadonlyMap<string, Job>;
  readonly #names: readonly string[];
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #loop: Promise<void> | undefined;
  #lastClaimTs = 0;

  constructor(deps: JobsDeps, declared: ReadonlyMap<string, Job>) {
    this.#deps = deps;
    this.#declared = declared;
    this.#names = [...declared.keys()];
  }

  async start(): Promise<void> {
    const nowTs = this.#deps.clock.now();
    await this.#deps.database.write('main', async (tx) => {
      // The writer has one owner, so whoever held these leases is gone.
      await freeAllLeases(tx);
      for (const job of this.#declared.values()) {
        if (job.everyMs === undefined) continue;
        // One that waits keeps its time.
        await addJob(tx, { name: job.name, key: PERIODIC_KEY, payload: '{}', notBeforeTs: nowTs + job.everyMs, nowTs });
      }
    });
    this.#loop = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await Promise.race([Promise.all(this.#running), delay(SHUTDOWN_MS_MAX, undefined, { ref: false })]);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const round = new AbortController();
      // Before the table is looked at, so that no news is missed.
      const woken = this.#deps.hub.once(JOBS_KEY, AbortSignal.any([signal, round.signal]));
      try {
        const sleepMs = await this.#startDue();
        await Promise.race([woken, delay(sleepMs, undefined, { signal: AbortSignal.any([signal, round.signal]) })]);
      } catch (error) {
        if (!signal.aborted) {
          this.#deps.log?.error({ err: error }, 'jobs could not be read; trying again');
          await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
        }
      } finally {
        round.abort();
      }
    }
  }

  /** Starts what is due and there is room for. @returns how long to sleep if nothing happens */
  async #startDue(): Promise<number> {
    const { database, clock } = this.#deps;
    const limit = (this.#deps.concurrencyMax ?? CONCURRENCY_MAX) - this.#running.size;
    // Each job that ends wakes us.
    if (limit <= 0) return SLEEP_MS_MAX;
    const nowTs = clock.now();
    const due = await database.read((tx) => nextDueTs(tx, this.#names));
    // Now and then in any case: leases that ended by themselves are not in nextDueTs().
    const isLongAgo = nowTs - this.#lastClaimTs >= LEASE_MS;
    if (!isLongAgo && (due === undefined || due > nowTs)) return Math.min(SLEEP_MS_MAX, sleepUntil(due, nowTs));
    this.#lastClaimTs = nowTs;
    const claimed = await database.write('main', (tx) =>
      claimJobs(tx, { nowTs, leaseUntilTs: nowTs + LEASE_MS, limit, names: this.#names }),
    );
    for (const row of claimed) {
      const run = this.#runJob(row).finally(() => {
        this.#running.delete(run);
        this.#deps.hub.wake([JOBS_KEY]);
      });
      this.#running.add(run);
    }
    // Due and not claimed: it waits for another of its key, whose end wakes us.
    return claimed.length > 0 && claimed.length < limit ? 0 : Math.min(SLEEP_MS_MAX, sleepUntil(due, nowTs));
  }

  /** Never throws: what happened is written down. */
  async #runJob(row: JobRow): Promise<void> {
    const job = this.#declared.get(row.name);
    if (job === undefined) return;
    const { database, clock, log } = this.#deps;
    const attempt = row.attempts + 1;
    const timeout = AbortSignal.timeout(job.timeoutMs);
    const signal = AbortSignal.any([this.#stop.signal, timeout]);
    const renewal = setInterval(() => {
      const leaseUntilTs = clock.now() + LEASE_MS;
      database
        .write('main', (tx) => renewLease(tx, row.job_id, leaseUntilTs))
        .catch((error: unknown) => log?.warn({ err: error, job: row.name }, 'a lease could not be renewed'));
    }, RENEW_MS);
    try {
      await Promise.race([job.run(JSON.parse(row.payload), { signal, attempt }), rejectOnAbort(timeout)]);
      await database.write('main', async (tx) => {
        await deleteJob(tx, row.job_id);
        if (job.everyMs !== undefined && row.key === PERIODIC_KEY) await this.#again(tx, job, job.everyMs);
      });
    } catch (error) {
      await this.#failed(job, row, attempt, error);
    } finally {
      clearInterval(renewal);
    }
  }

  async #again(tx: Parameters<typeof addJob>[0], job: Job, everyMs: number): Promise<void> {
    const nowTs = this.#deps.clock.now();
    await addJob(tx, { name: job.name, key: PERIODIC_KEY, payload: '{}', notBeforeTs: nowTs + everyMs, nowTs });
  }

  async #failed(job: Job, row: JobRow, attempt: number, error: unknown): Promise<void> {
    const { database, clock, log, random } = this.#deps;
    const isStopped = this.#stop.signal.aborted;
    const isDead = !isStopped && job.everyMs === undefined && attempt >= job.attemptsMax;
    const waitMs = isStopped ? 0 : Math.min(backoffMs(attempt, random()), job.everyMs ?? Number.POSITIVE_INFINITY);
    if (isDead) log?.error({ err: error, job: row.name, jobId: row.job_id, attempt }, 'a job was given up');
    else if (!isStopped) log?.warn({ err: error, job: row.name, jobId: row.job_id, attempt, waitMs }, 'a job failed');
    const entry = {
      jobId: row.job_id,
      // Being stopped is nobody's fault.
      attempts: isStopped ? row.attempts : attempt,
      notBeforeTs: clock.now() + waitMs,
      isDead: isDead ? 1 : 0,
      lastError: String(error).slice(0, ERROR_CHARS_MAX),
    };
    await database
      .write('main', (tx) => returnJob(tx, entry))
      .catch((writeError: unknown) => {
        // Its lease ends by itself.
        log?.error({ err: writeError, job: row.name }, 'the failure of a job could not be written');
      });
  }
}

/** Up to a time that is still to come. */
function sleepUntil(ts: number | undefined, nowTs: number): number {
  return ts === undefined || ts <= nowTs ? SLEEP_MS_MAX : ts - nowTs;
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('the job took too long')), { once: true });
  });
}
