/** Loaded into a server by a benchmark (`node --import`): at each SIGUSR2 it writes how late its event loop was since the last. */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

const RESOLUTION_MS = 5;
const file = process.env.EVENT_LOOP_DELAY_FILE;

if (isMainThread && file !== undefined) {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  process.on('SIGUSR2', () => {
    // In nanoseconds, with the interval at which it looks.
    const late = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS);
    writeFileSync(file, JSON.stringify({ p99: late(histogram.percentile(99)), max: late(histogram.max) }));
    histogram.reset();
  });
}
