import type { Database, StorageLog } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';

/** The hub's key of news about jobs. */
export const JOBS_KEY = 'jobs';

export interface JobsDeps {
  readonly database: Database;
  readonly hub: Hub;
  readonly clock: { now(): number };
  readonly log?: StorageLog;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  /** Jobs that run at once. Default 8. */
  readonly concurrencyMax?: number;
}
