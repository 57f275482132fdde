/**
 * `npm run test:fuzz`: a thousand random graphs (FUZZ_SEEDS=17 runs a single one again, FUZZ_SEEDS=0-99 a range), then
 * 100,000 mutated events and requests (FUZZ_MUTATIONS, FUZZ_HOSTILE_SEED).
 */
import { Chance } from './chance.ts';
import { fuzzGraphs } from './graphs.ts';
import { attack } from './hostile.ts';

const REPORT_EVERY = 50;
const MUTATIONS_AT_ONCE = 5_000;
/** The rest are requests. */
const EVENT_SHARE = 0.7;
const startMs = performance.now();
const failures: unknown[] = [];

await runGraphs();
await runHostile(Number(process.env.FUZZ_MUTATIONS ?? (process.env.FUZZ_SEEDS === undefined ? 100_000 : 0)));
process.exitCode = failures.length === 0 ? 0 : 1;

async function runGraphs(): Promise<void> {
  const [first = 0, last = first] = (process.env.FUZZ_SEEDS ?? '0-999').split('-').map(Number);
  for (let from = first; from <= last; from += REPORT_EVERY) {
    const seeds = Array.from({ length: Math.min(REPORT_EVERY, last - from + 1) }, (_, index) => from + index);
    await fuzzGraphs(seeds, fail);
    say(`graphs up to seed ${from + seeds.length - 1}: ${failures.length} differences`);
  }
}

async function runHostile(count: number): Promise<void> {
  const first = Number(process.env.FUZZ_HOSTILE_SEED ?? 1);
  for (let done = 0, seed = first; done < count; done += MUTATIONS_AT_ONCE, seed++) {
    const now = Math.min(MUTATIONS_AT_ONCE, count - done);
    try {
      const events = Math.round(now * EVENT_SHARE);
      const { accepted, refused, statuses } = await attack(new Chance(seed), events, now - events);
      const answers = [...statuses].map(([status, times]) => `${status}: ${times}`).join(', ');
      say(`${done + now} mutations: ${accepted} events accepted, ${refused} refused; answers ${answers}`);
    } catch (error) {
      fail(new Error(`FUZZ_HOSTILE_SEED=${seed}`, { cause: error }));
    }
  }
}

function fail(error: unknown): void {
  failures.push(error);
  console.error(error);
}

function say(text: string): void {
  console.log(`${text} (${Math.round((performance.now() - startMs) / 1000)} s)`);
}
