import { compiledOnce, type ReadTx, type WriteTx } from '../storage/index.ts';
import './tables.ts';

/** A job as it stands in the table. */
export interface JobRow {
  readonly job_id: number;
  readonly name: string;
  readonly key: string | null;
  readonly payload: string;
  readonly attempts: number;
}

/** Adds a job, or lets one that waits under the same key stand for it, as early as the earlier of the two. */
export async function addJob(
  tx: WriteTx,
  entry: { name: string; key: string | null; payload: string; notBeforeTs: number; nowTs: number },
): Promise<void> {
  const { name, key, payload, notBeforeTs } = entry;
  if (key !== null) {
    const waiting = await tx.find(waitingByKey, { name, key });
    if (waiting !== undefined) {
      if (waiting.not_before_ts > notBeforeTs || waiting.payload !== payload) {
        await tx.change(replaceJob, {
          jobId: waiting.job_id,
          payload,
          notBeforeTs: Math.min(waiting.not_before_ts, notBeforeTs),
        });
      }
      return;
    }
  }
  await tx.change(insertJob, entry);
}

/** Takes due jobs for this runner, at most `limit`. A job waits while another of the same name and key runs. */
export async function claimJobs(
  tx: WriteTx,
  {
    nowTs,
    leaseUntilTs,
    limit,
    names,
  }: { nowTs: number; leaseUntilTs: number; limit: number; names: readonly string[] },
): Promise<readonly JobRow[]> {
  const keys = new Set<string>();
  const rows = (await tx.run(dueJobs, { nowTs, limit, names })).filter((row) => {
    if (row.key === null) return true;
    const key = `${row.name}\0${row.key}`;
    return !keys.has(key) && keys.add(key);
  });
  for (const row of rows) await tx.change(leaseJob, { jobId: row.job_id, leaseUntilTs });
  return rows;
}

/** When the next job is due that nobody runs; undefined when none waits. */
export async function nextDueTs(tx: ReadTx, names: readonly string[]): Promise<number | undefined> {
  return (await tx.find(firstDue, { names }))?.not_before_ts;
}

export async function renewLease(tx: WriteTx, jobId: number, leaseUntilTs: number): Promise<void> {
  await tx.change(renew, { jobId, leaseUntilTs });
}

export async function deleteJob(tx: WriteTx, jobId: number): Promise<void> {
  await tx.change(removeJob, { jobId });
}

/** Gives a job back, to be tried again at `notBeforeTs`. */
export async function returnJob(
  tx: WriteTx,
  entry: { jobId: number; attempts: number; notBeforeTs: number; isDead: number; lastError: string | null },
): Promise<void> {
  await tx.change(giveBack, entry);
}

/** Jobs that were running when the last process ended are free again. */
export async function freeAllLeases(tx: WriteTx): Promise<void> {
  await tx.change(freeLeases, {});
}

const waitingByKey = compiledOnce<{ name: string; key: string }>()((db, p) =>
  db
    .selectFrom('jobs')
    .select(['job_id', 'not_before_ts', 'payload'])
    .where('name', '=', p('name'))
    .where('key', '=', p('key'))
    .where('lease_until_ts', '=', 0)
    .where('is_dead', '=', 0),
);

const insertJob = compiledOnce<{
  name: string;
  key: string | null;
  payload: string;
  notBeforeTs: number;
  nowTs: number;
}>()((db, p) =>
  db.insertInto('jobs').values({
    name: p('name'),
    key: p('key'),
    payload: p('payload'),
    not_before_ts: p('notBeforeTs'),
    lease_until_ts: 0,
    attempts: 0,
    is_dead: 0,
    last_error: null,
    created_ts: p('nowTs'),
  }),
);

const replaceJob = compiledOnce<{ jobId: number; payload: string; notBeforeTs: number }>()((db, p) =>
  db
    .updateTable('jobs')
    .set({ payload: p('payload'), not_before_ts: p('notBeforeTs') })
    .where('job_id', '=', p('jobId')),
);

const dueJobs = compiledOnce<{ nowTs: number; limit: number; names: readonly string[] }>()((db, p) =>
  db
    .selectFrom('jobs')
    .select(['job_id', 'name', 'key', 'payload', 'attempts'])
    .where('is_dead', '=', 0)
    .where('not_before_ts', '<=', p('nowTs'))
    .where('lease_until_ts', '<=', p('nowTs'))
    .where('name', 'in', p.texts('names'))
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('jobs as other')
            .select('other.job_id')
            .whereRef('other.name', '=', 'jobs.name')
            .whereRef('other.key', '=', 'jobs.key')
            .where('other.lease_until_ts', '>', p('nowTs')),
        ),
      ),
    )
    .orderBy('not_before_ts')
    .orderBy('job_id')
    .limit(p('limit')),
);

const firstDue = compiledOnce<{ names: readonly string[] }>()((db, p) =>
  db
    .selectFrom('jobs')
    .select('not_before_ts')
    .where('is_dead', '=', 0)
    .where('lease_until_ts', '=', 0)
    .where('name', 'in', p.texts('names'))
    .orderBy('not_before_ts')
    .limit(1),
);

const leaseJob = compiledOnce<{ jobId: number; leaseUntilTs: number }>()((db, p) =>
  db
    .updateTable('jobs')
    .set((eb) => ({ lease_until_ts: p('leaseUntilTs'), attempts: eb('attempts', '+', 1) }))
    .where('job_id', '=', p('jobId')),
);

const renew = compiledOnce<{ jobId: number; leaseUntilTs: number }>()((db, p) =>
  db
    .updateTable('jobs')
    .set({ lease_until_ts: p('leaseUntilTs') })
    .where('job_id', '=', p('jobId')),
);

const removeJob = compiledOnce<{ jobId: number }>()((db, p) => db.deleteFrom('jobs').where('job_id', '=', p('jobId')));

const giveBack = compiledOnce<{
  jobId: number;
  attempts: number;
  notBeforeTs: number;
  isDead: number;
  lastError: string | null;
}>()((db, p) =>
  db
    .updateTable('jobs')
    .set({
      lease_until_ts: 0,
      attempts: p('attempts'),
      not_before_ts: p('notBeforeTs'),
      is_dead: p('isDead'),
      last_error: p('lastError'),
    })
    .where('job_id', '=', p('jobId')),
);

const freeLeases = compiledOnce<object>()((db) =>
  db.updateTable('jobs').set({ lease_until_ts: 0 }).where('lease_until_ts', '>', 0),
);
