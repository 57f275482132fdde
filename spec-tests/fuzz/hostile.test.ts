import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Chance } from './chance.ts';
import { attack } from './hostile.ts';

describe('a hostile server', () => {
  it('neither brings the server down nor gets events in that no check allows', async () => {
    const { accepted, refused } = await attack(new Chance(1), 300, 300);
    assert.ok(accepted > 0 && refused > 0, `${accepted} accepted, ${refused} refused`);
  });
});
