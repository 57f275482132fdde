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
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, PATIENCE_MS);
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    worker.once('exit', end);
    // A thread that fails while it ends has ended too; whoever waits for its answers is told by its own listener.
    worker.once('error', end);
    worker.postMessage('end');
  });
  worker.unref();
}
