import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Heap } from './heap.ts';

describe('Heap', () => {
  it('gives the smallest first, however pushing and popping mix', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer())), (operations) => {
        const heap = new Heap<number>((a, b) => a - b);
        const model: number[] = [];
        for (const operation of operations) {
          if (operation === null) {
            assert.equal(heap.pop(), model.shift());
          } else {
            heap.push(operation);
            model.push(operation);
            model.sort((a, b) => a - b);
          }
        }
        while (model.length > 0) assert.equal(heap.pop(), model.shift());
        assert.equal(heap.pop(), undefined);
      }),
    );
  });
});
