import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Database } from '../../storage/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { decodeNode, encodeNode, type StateNode, slotOf } from './state-node.ts';
import { stateMigrations } from './state-tables.ts';
import { EMPTY_STATE, type StateChange, StateTree } from './state-tree.ts';

const write = (database: Database, tree: StateTree, root: number, changes: Iterable<StateChange>) =>
  database.write('main', (tx) => tree.update(tx, root, changes));

async function nodeCount(database: Database): Promise<{ count: number; bytes: number }> {
  const rows = await database.read((tx) => tx.db.selectFrom('state_nodes').select('data').execute());
  return { count: rows.length, bytes: rows.reduce((sum, row) => sum + row.data.length, 0) };
}

describe('a state node', () => {
  it('survives encoding, with numbers up to 2^53', () => {
    const nodes: StateNode[] = [
      { kind: 'leaf', keys: [], values: [] },
      { kind: 'leaf', keys: [1, 127, 128, 2 ** 53 - 1], values: [2 ** 53 - 1, 0, 16_384, 1] },
      { kind: 'branch', bitmap: (1 << 31) | 1, children: [2 ** 40, 3] },
    ];
    for (const node of nodes) assert.deepEqual(decodeNode(encodeNode(node)), node);
  });

  it('is refused where it is damaged', () => {
    for (const bytes of [[], [2], [0, 1], [0, 0x80], [1, 3, 1]]) {
      assert.throws(() => decodeNode(Uint8Array.from(bytes)), RangeError);
    }
  });

  it('spreads successive keys evenly over its slots', () => {
    const counts = Array.from({ length: 32 }, () => 0);
    for (let key = 1; key <= 3_200; key++) counts[slotOf(key, 0)] = (counts[slotOf(key, 0)] ?? 0) + 1;
    assert.ok(Math.min(...counts) > 60 && Math.max(...counts) < 150, counts.join());
  });
});

forEachDatabase((name, open) => {
  it('holds what was set, whatever the order and the way it was written', async () => {
    await using database = await open(stateMigrations);
    const key = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.maxSafeNat());
    const change = fc.tuple(key, fc.option(fc.integer({ min: 1, max: 1e9 }), { nil: undefined }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(change, { maxLength: 60 }), { maxLength: 8 }), async (rounds) => {
        const tree = new StateTree({ nodesCachedMax: 3 });
        const model = new Map<number, number>();
        const roots: number[] = [EMPTY_STATE];
        const models: Map<number, number>[] = [new Map()];
        for (const changes of rounds) {
          for (const [key, value] of changes) {
            if (value === undefined) model.delete(key);
            else model.set(key, value);
          }
          roots.push(await write(database, tree, roots.at(-1) ?? EMPTY_STATE, changes));
          models.push(new Map(model));
        }
        await database.read(async (tx) => {
          for (const [index, root] of roots.entries()) {
            const expected = models[index] ?? new Map();
            assert.deepEqual(sorted(await tree.entries(tx, root)), sorted(expected));
            for (const [key, value] of expected) assert.equal(await tree.get(tx, root, key), value);
            assert.equal(await tree.get(tx, root, 999_999_999), undefined);
            const last = models.at(-1) ?? new Map();
            const patched: Map<number, number> = new Map(expected);
            for (const [key, value] of await tree.diff(tx, root, roots.at(-1) ?? EMPTY_STATE)) {
              assert.notEqual(patched.get(key), value);
              if (value === undefined) patched.delete(key);
              else patched.set(key, value);
            }
            assert.deepEqual(sorted(patched), sorted(last));
          }
        });
      }),
      { numRuns: name === 'sqlite' ? 60 : 8 },
    );
  });

  it('gives the same root back where nothing changes', async () => {
    await using database = await open(stateMigrations);
    const tree = new StateTree();
    const root = await write(database, tree, EMPTY_STATE, range(1, 500));
    assert.equal(
      await write(database, tree, root, [
        [7, 7],
        [400, 400],
        [9_999, undefined],
      ]),
      root,
    );
    assert.equal(await write(database, tree, root, []), root);
    assert.equal(await write(database, tree, EMPTY_STATE, [[3, undefined]]), EMPTY_STATE);
    assert.equal((await database.read((tx) => tree.diff(tx, root, root))).size, 0);
  });

  it('keeps a small room in one node, and writes three nodes for a change in a room of 10,000', async () => {
    await using database = await open(stateMigrations);
    const tree = new StateTree();
    await write(database, tree, EMPTY_STATE, range(1, 24));
    assert.equal((await nodeCount(database)).count, 1);
    const root = await write(database, tree, EMPTY_STATE, range(1, 10_000));
    const before = await nodeCount(database);
    await write(database, tree, root, [[5_000, 123_456]]);
    const after = await nodeCount(database);
    assert.equal(after.count - before.count, 3);
    assert.ok(after.bytes - before.bytes < 400, `${after.bytes - before.bytes} bytes for a change`);
  });

  it('sees its own writes in a job, and keeps nothing of a job that fails', async () => {
    await using database = await open(stateMigrations);
    const tree = new StateTree();
    const failing = database.write('main', async (tx) => {
      const root = await tree.update(tx, EMPTY_STATE, [[1, 10]]);
      assert.equal(await tree.get(tx, root, 1), 10);
      throw new RangeError('failed');
    });
    await assert.rejects(failing, /failed/);
    // On SQLite the same ids are given again.
    const root = await write(database, tree, EMPTY_STATE, [[1, 20]]);
    assert.equal(await database.read((tx) => tree.get(tx, root, 1)), 20);
  });

  it('purges what only one room uses, and nothing else', async () => {
    await using database = await open(stateMigrations);
    const tree = new StateTree();
    const other = await write(database, tree, EMPTY_STATE, range(1, 300));
    const kept = await nodeCount(database);
    const roots = [await write(database, tree, EMPTY_STATE, range(1_000, 1_400))];
    for (let step = 0; step < 20; step++) {
      roots.push(await write(database, tree, roots.at(-1) ?? EMPTY_STATE, [[1_000 + step, 5_000 + step]]));
    }
    const last = roots.pop() ?? EMPTY_STATE;
    const old = await database.read((tx) => tree.unreachable(tx, roots, [last]));
    await database.write('main', (tx) => tree.deleteNodes(tx, old));
    assert.equal((await database.read((tx) => new StateTree().entries(tx, last))).size, 401);
    const rest = await database.read((tx) => tree.unreachable(tx, [last], []));
    await database.write('main', (tx) => tree.deleteNodes(tx, rest));
    assert.equal((await nodeCount(database)).count, kept.count + 1, 'the greatest id stays');
    assert.equal((await database.read((tx) => new StateTree().entries(tx, other))).size, 300);
    await assert.rejects(
      database.read((tx) => new StateTree().entries(tx, roots[0] ?? 0)),
      RangeError,
    );
  });
});

function range(from: number, to: number): StateChange[] {
  return Array.from({ length: to - from + 1 }, (_, index) => [from + index, from + index]);
}

function sorted(map: ReadonlyMap<number, number>): [number, number][] {
  return [...map].sort(([a], [b]) => a - b);
}
