import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Slots } from './slots.ts';

const SLOTS = { perKeyMax: 16, waitingMax: 200 };

describe('slots by key', () => {
  it('runs few things of a key at once, the others in turn, and those of other keys at once', async () => {
    const gate = new Slots(SLOTS);
    const open = Promise.withResolvers<void>();
    let running = 0;
    let most = 0;
    const slow = async () => {
      running++;
      most = Math.max(most, running);
      await open.promise;
      running--;
    };
    const all = Array.from({ length: 50 }, () => gate.run('busy.example', slow));
    assert.equal(await gate.run('other.example', () => 'served'), 'served');
    open.resolve();
    await Promise.all(all);
    assert.equal(most, 16);
    await nextTurn();
    await nextTurn();
    assert.equal(gate.size, 0);
  });

  it('refuses what is too much, and passes failures on', async () => {
    const gate = new Slots(SLOTS);
    const open = Promise.withResolvers<void>();
    const all = Array.from({ length: 216 }, () => gate.run('busy.example', () => open.promise));
    await nextTurn();
    await assert.rejects(
      gate.run('busy.example', () => undefined),
      { errcode: 'M_LIMIT_EXCEEDED' },
    );
    open.resolve();
    await Promise.all(all);
    await assert.rejects(
      gate.run('busy.example', () => Promise.reject(new Error('broken'))),
      { message: 'broken' },
    );
  });
});
