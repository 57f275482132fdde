import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseServerName } from '../protocol/ids/index.ts';
import { Backoff } from './backoff.ts';

const MINUTE_MS = 60_000;

describe('the back-off from servers that fail', () => {
  const server = parseServerName('away.example') ?? assert.fail();

  function start(random = 0.5) {
    let now = 1_000_000;
    const backoff = new Backoff({ now: () => now }, () => random);
    return {
      backoff,
      pass: (ms: number) => {
        now += ms;
      },
      /** Fails as soon as it may, `times` times; the last wait in milliseconds. */
      fail(times: number): number {
        for (let time = 0; time < times; time++) {
          now += backoff.waitMs(server);
          backoff.noteFailure(server);
        }
        return backoff.waitMs(server);
      },
    };
  }

  it('doubles with each failure, up to half a minute in the first minutes', () => {
    const { fail } = start();
    assert.deepEqual(
      Array.from({ length: 7 }, () => fail(1)),
      [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000],
    );
  });

  it('grows to three minutes for who is away for hours, and to an hour for who is away for days', () => {
    const { fail, pass } = start();
    fail(6);
    pass(60 * MINUTE_MS);
    assert.ok(fail(20) <= 3 * MINUTE_MS);
    pass(4 * 24 * 60 * MINUTE_MS);
    assert.equal(fail(20), 60 * MINUTE_MS);
  });

  it('counts failures at the same time as one, and spreads by chance', () => {
    const { backoff } = start();
    for (let time = 0; time < 50; time++) backoff.noteFailure(server);
    assert.equal(backoff.waitMs(server), 1_000);
    assert.equal(start(0).fail(1), 750);
    assert.equal(start(1).fail(1), 1_250);
  });

  it('ends, and tells of it once, when the server shows up', () => {
    const { backoff, fail } = start();
    const alive: string[] = [];
    backoff.onAlive((one) => alive.push(one));
    backoff.noteAlive(server);
    fail(3);
    assert.ok(backoff.isFailing(server));
    backoff.noteAlive(server);
    backoff.noteAlive(server);
    assert.deepEqual(alive, [server]);
    assert.equal(backoff.waitMs(server), 0);
  });
});
