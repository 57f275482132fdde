import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Hub } from './hub.ts';

describe('the hub', () => {
  it('tells each listener of the woken keys, with the payload', () => {
    const hub = new Hub();
    const heard: unknown[] = [];
    hub.listen('room:!a', (payload) => heard.push(['a', payload]));
    hub.listen('room:!a', () => heard.push('a again'));
    hub.listen('room:!b', () => heard.push('b'));
    hub.wake(['room:!a', 'room:!none'], 7);
    assert.deepEqual(heard, [['a', 7], 'a again']);
  });

  it('tells nobody who has left, and forgets keys without listeners', () => {
    const hub = new Hub();
    let count = 0;
    const fn = () => count++;
    const stopFirst = hub.listen('k', fn);
    const stopSecond = hub.listen('k', fn);
    stopFirst();
    stopFirst();
    hub.wake(['k']);
    assert.equal(count, 1, 'the same function twice has two ends');
    stopSecond();
    hub.wake(['k']);
    assert.equal(count, 1);
    assert.equal(hub.keyCount, 0);
  });

  it('bears listeners that leave, come and throw while it wakes', () => {
    const errors: unknown[] = [];
    const hub = new Hub((error) => errors.push(error));
    const heard: string[] = [];
    hub.listen('k', () => {
      stopLast();
      hub.listen('k', () => heard.push('late'));
      throw new RangeError('bad listener');
    });
    hub.listen('k', () => heard.push('middle'));
    const stopLast = hub.listen('k', () => heard.push('last'));
    hub.wake(['k']);
    assert.deepEqual(heard, ['middle']);
    assert.equal(errors.length, 1);
  });

  it('resolves once() at the news or at the abort, and leaves nothing behind', async () => {
    const hub = new Hub();
    const first = hub.once('k');
    hub.wake(['k']);
    await first;
    const abort = new AbortController();
    const second = hub.once('k', abort.signal);
    abort.abort();
    await second;
    await hub.once('k', abort.signal);
    assert.equal(hub.keyCount, 0);
  });

  it('costs the same for the hundred-thousandth listener as for the first', () => {
    const hub = new Hub();
    const stops = Array.from({ length: 100_000 }, (_, index) => hub.listen(`user:@${index}`, () => undefined));
    const start = performance.now();
    for (const stop of stops) stop();
    assert.ok(performance.now() - start < 1_000);
    assert.equal(hub.keyCount, 0);
  });
});
