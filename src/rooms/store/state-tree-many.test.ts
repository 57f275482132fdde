import assert from 'node:assert/strict';
import { it } from 'node:test';
import { forEachDatabase } from '../../testing/databases.ts';
import { stateMigrations } from './state-tables.ts';
import { EMPTY_STATE, StateTree } from './state-tree.ts';

forEachDatabase((_, open) => {
  it('finds a key in many states as it does in each of them, whatever is cached', async () => {
    await using database = await open(stateMigrations);
    const tree = new StateTree();
    const roots = [EMPTY_STATE];
    await database.write('main', async (tx) => {
      for (let step = 1; step <= 300; step++) {
        roots.push(await tree.update(tx, roots.at(-1) ?? EMPTY_STATE, [[(step * 7) % 90, step]]));
      }
    });
    for (const reader of [tree, new StateTree({ nodesCachedMax: 3 })]) {
      for (const key of [0, 7, 89, 1000]) {
        const found = await database.read((tx) => reader.getInMany(tx, roots, key));
        for (const root of roots) {
          assert.equal(found.get(root), await database.read((tx) => tree.get(tx, root, key)));
        }
      }
    }
  });
});
