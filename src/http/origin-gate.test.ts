import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { OriginGate } from './origin-gate.ts';

describe('the gate of other servers', () => {
  it('works on few requests of a server at once, on the others in turn, and on those of other servers at once', async () => {
    const gate = new OriginGate();
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
    const gate = new OriginGate();
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
