import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MatrixError } from '../protocol/errors.ts';
import { RateLimits } from './rate-limits.ts';

describe('rate limits', () => {
  const limits = { login: { perSecond: 2, burst: 3 } };
  let nowMs = 1_000_000;
  const clock = { now: () => nowMs };

  it('allow a burst, then as many as the rate refills, each key for itself', () => {
    const rates = new RateLimits({ clock, limits });
    for (let i = 0; i < 3; i++) assert.equal(rates.tryTake('login', 'a'), 0);
    assert.equal(rates.tryTake('login', 'a'), 500);
    assert.equal(rates.tryTake('login', 'b'), 0);
    nowMs += 499;
    assert.equal(rates.tryTake('login', 'a'), 1);
    nowMs += 1;
    assert.equal(rates.tryTake('login', 'a'), 0);
    assert.equal(rates.tryTake('login', 'a'), 500);
    nowMs += 60_000;
    for (let i = 0; i < 3; i++) assert.equal(rates.tryTake('login', 'a'), 0);
    assert.ok(rates.tryTake('login', 'a') > 0);
  });

  it('tell without taking, and forget', () => {
    const rates = new RateLimits({ clock, limits });
    for (let i = 0; i < 9; i++) assert.equal(rates.waitMs('login', 'a'), 0);
    rates.take('login', 'a', 3);
    assert.equal(rates.waitMs('login', 'a'), 500);
    rates.reset('login', 'a');
    assert.equal(rates.waitMs('login', 'a'), 0);
  });

  it('throw M_LIMIT_EXCEEDED with Retry-After', () => {
    const rates = new RateLimits({ clock, limits });
    rates.take('login', 'a', 3);
    assert.throws(
      () => rates.take('login', 'a'),
      (error) => error instanceof MatrixError && error.status === 429 && error.headers['retry-after'] === '1',
    );
  });

  it('know exempt users and own figures, and can be switched off', () => {
    const override = (key: string) =>
      key === 'bot' ? 'exempt' : key === 'slow' ? { perSecond: 1, burst: 1 } : undefined;
    const rates = new RateLimits({ clock, limits, override });
    for (let i = 0; i < 100; i++) rates.take('login', 'bot');
    rates.take('login', 'slow');
    assert.equal(rates.tryTake('login', 'slow'), 1000);
    const off = new RateLimits({ clock, limits, enabled: false });
    for (let i = 0; i < 100; i++) off.take('login', 'a');
  });
});
