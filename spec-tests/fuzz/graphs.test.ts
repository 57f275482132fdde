import { describe, it } from 'node:test';
import { fuzzGraphs } from './graphs.ts';

/** `npm run test:fuzz` runs a thousand, or those of FUZZ_SEEDS. */
const SEEDS = 10;

describe('random graphs of rooms', () => {
  it('lead every server to the same state, in whatever order they come', async () => {
    await fuzzGraphs(
      Array.from({ length: SEEDS }, (_, index) => index),
      (error) => {
        throw error;
      },
    );
  });
});
