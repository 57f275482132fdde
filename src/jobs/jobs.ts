import type { WriteTx } from '../storage/index.ts';
import { JOBS_KEY, type JobsDeps } from './deps.ts';
import type { Job } from './job.ts';
import { JobRunner } from './runner.ts';
import { addJob } from './store.ts';

export interface EnqueueOptions {
  /** Not before this time, in milliseconds since the epoch. */
  readonly notBeforeMs?: number;
  /** A job that waits under the same name and key is replaced by this one; one that already runs is not. */
  readonly key?: string;
}

/** Things to do later, once. Enqueue anywhere; declare what a name means before start(). */
export class Jobs {
  readonly #deps: JobsDeps;
  readonly #declared = new Map<string, Job>();

  constructor(deps: JobsDeps) {
    this.#deps = deps;
  }

  /** Says what jobs of a name do. */
  declare(...jobs: readonly Job[]): void {
    for (const job of jobs) {
      if (this.#declared.has(job.name)) throw new Error(`two jobs are called ${job.name}`);
      this.#declared.set(job.name, job);
    }
  }

  /** Adds a job in the transaction of its cause: both are kept, or neither. It starts after the commit, or when it is due. */
  async enqueue(tx: WriteTx, name: string, payload: object, options: EnqueueOptions = {}): Promise<void> {
    this.#declared.get(name)?.check(payload);
    const nowTs = this.#deps.clock.now();
    await addJob(tx, {
      name,
      key: options.key ?? null,
      payload: JSON.stringify(payload),
      notBeforeTs: options.notBeforeMs ?? nowTs,
      nowTs,
    });
    tx.onCommit(() => this.#deps.hub.wake([JOBS_KEY]));
  }

  /** Starts to run jobs, beginning with those that a crash interrupted. Disposing waits for those that run. */
  async start(): Promise<AsyncDisposable> {
    const runner = new JobRunner(this.#deps, this.#declared);
    await runner.start();
    return runner;
  }
}
