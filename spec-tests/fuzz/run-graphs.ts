/**
 * `npm run test:fuzz`: a thousand random graphs. FUZZ_SEEDS=17 runs a single one again, FUZZ_SEEDS=0-99 a range.
 */
import { fuzzGraphs } from './graphs.ts';

const REPORT_EVERY = 50;
const [first = 0, last = first] = (process.env.FUZZ_SEEDS ?? '0-999').split('-').map(Number);
const failures: unknown[] = [];
const startMs = performance.now();
for (let from = first; from <= last; from += REPORT_EVERY) {
  const seeds = Array.from({ length: Math.min(REPORT_EVERY, last - from + 1) }, (_, index) => from + index);
  await fuzzGraphs(seeds, (error) => {
    failures.push(error);
    console.error(error);
  });
  const seconds = Math.round((performance.now() - startMs) / 1000);
  console.log(`graphs up to seed ${from + seeds.length - 1}: ${failures.length} differences, ${seconds} s`);
}
process.exitCode = failures.length === 0 ? 0 : 1;
