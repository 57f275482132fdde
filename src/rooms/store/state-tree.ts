import { LRUCache } from 'lru-cache';
import { upTo } from '../../lru.ts';
import { compiledOnce } from '../../storage/compiled-once.ts';
import type { ReadTx, WriteTx } from '../../storage/types.ts';
import {
  type Branch,
  childIndex,
  DEPTH_MAX,
  decodeNode,
  EMPTY_LEAF,
  encodeNode,
  LEAF_ENTRIES_MAX,
  type Leaf,
  leafValue,
  type StateNode,
  slotOf,
} from './state-node.ts';
import './state-tables.ts';

/** The state without any event. */
export const EMPTY_STATE = 0;

const NODES_CACHED_MAX = 20_000;

/** A state key's nid and the nid of the event now under it; undefined takes the key out of the state. */
export type StateChange = readonly [keyNid: number, eventNid: number | undefined];

/**
 * States of rooms as persistent hash tries: a state is the id of its root node, nodes never change and are shared between
 * states. A change writes the nodes on one path; two states are compared only where their nodes differ.
 */
export class StateTree {
  readonly #cache: LRUCache<number, StateNode>;
  /** What a job has read and written: others must not see it before the commit, for a failed job's ids are given again. */
  readonly #uncommitted = new WeakMap<WriteTx, Map<number, StateNode>>();

  constructor({ nodesCachedMax = NODES_CACHED_MAX }: { readonly nodesCachedMax?: number } = {}) {
    this.#cache = new LRUCache(upTo(nodesCachedMax));
  }

  /** The event under a key in a state, or undefined. */
  async get(tx: ReadTx, root: number, keyNid: number): Promise<number | undefined> {
    let nodeId = root;
    for (let depth = 0; nodeId !== EMPTY_STATE; depth++) {
      const node = await this.#node(tx, nodeId);
      if (node.kind === 'leaf') return leafValue(node, keyNid);
      const index = childIndex(node, slotOf(keyNid, depth));
      if (index === undefined) return undefined;
      nodeId = node.children[index] ?? EMPTY_STATE;
    }
    return undefined;
  }

  /** The event under one key in many states: root -> event nid; states without one are left out. One query a level. */
  async getInMany(tx: ReadTx, roots: Iterable<number>, keyNid: number): Promise<ReadonlyMap<number, number>> {
    const found = new Map<number, number>();
    let open: (readonly [root: number, nodeId: number])[] = [];
    for (const root of roots) if (root !== EMPTY_STATE) open.push([root, root]);
    for (let depth = 0; open.length > 0; depth++) {
      const nodes = await this.#nodes(tx, new Set(open.map(([, nodeId]) => nodeId)));
      const below: (readonly [root: number, nodeId: number])[] = [];
      for (const [root, nodeId] of open) {
        const node = nodes.get(nodeId);
        if (node === undefined) continue;
        if (node.kind === 'leaf') {
          const eventNid = leafValue(node, keyNid);
          if (eventNid !== undefined) found.set(root, eventNid);
          continue;
        }
        const index = childIndex(node, slotOf(keyNid, depth));
        if (index !== undefined) below.push([root, node.children[index] ?? EMPTY_STATE]);
      }
      open = below;
    }
    return found;
  }

  /** All of a state, in no order: key nid -> event nid. One query a level. */
  async entries(tx: ReadTx, root: number): Promise<ReadonlyMap<number, number>> {
    const entries = new Map<number, number>();
    let level = root === EMPTY_STATE ? [] : [root];
    while (level.length > 0) {
      const nodes = await this.#nodes(tx, level);
      level = [];
      for (const node of nodes.values()) {
        if (node.kind === 'leaf') addEntries(entries, node);
        else level.push(...node.children);
      }
    }
    return entries;
  }

  /**
   * The state `root` with changes. Later changes of a key count. Writes two or three small nodes for one change; without
   * any real difference the same root comes back.
   */
  async update(tx: WriteTx, root: number, changes: Iterable<StateChange>): Promise<number> {
    const last = new Map(changes);
    return last.size === 0 ? root : this.#apply(tx, root, 0, last);
  }

  /** Writes a state from scratch. */
  async build(tx: WriteTx, entries: Iterable<StateChange>): Promise<number> {
    return this.update(tx, EMPTY_STATE, entries);
  }

  /** The keys in which state `b` differs from state `a`, with the event in `b`; undefined where `b` has none. */
  async diff(tx: ReadTx, a: number, b: number): Promise<ReadonlyMap<number, number | undefined>> {
    const before = new Map<number, number>();
    const after = new Map<number, number>();
    let pairs: (readonly [number, number])[] = [[a, b]];
    while (pairs.length > 0) {
      const different = pairs.filter(([left, right]) => left !== right);
      const nodes = await this.#nodes(tx, different.flat());
      pairs = [];
      for (const [left, right] of different) {
        const leftNode = nodes.get(left) ?? EMPTY_LEAF;
        const rightNode = nodes.get(right) ?? EMPTY_LEAF;
        if (leftNode.kind === 'branch' && rightNode.kind === 'branch') {
          for (let slot = 0; slot < 32; slot++) pairs.push([childId(leftNode, slot), childId(rightNode, slot)]);
        } else {
          // A leaf against a branch: the branch holds little more than a leaf may, so all of both is compared.
          await this.#collect(tx, leftNode, before);
          await this.#collect(tx, rightNode, after);
        }
      }
    }
    return mapDifference(before, after);
  }

  /**
   * The nodes that only the states `drop` use, not the states `keep`. Run it in a read(), then hand the result to
   * deleteNodes() in portions. For the purge of a room `keep` is empty: rooms share no nodes.
   */
  async unreachable(tx: ReadTx, drop: Iterable<number>, keep: Iterable<number>): Promise<readonly number[]> {
    const kept = await this.#reachable(tx, keep, new Set());
    const dropped = await this.#reachable(tx, drop, kept);
    return [...dropped].filter((id) => !kept.has(id));
  }

  /** Deletes nodes found by unreachable(). The greatest id stays, so that SQLite never gives a deleted one again. */
  async deleteNodes(tx: WriteTx, nodeIds: readonly number[]): Promise<void> {
    await tx.change(deleteNodes, { nodeIds });
    tx.onCommit(() => {
      for (const id of nodeIds) this.#cache.delete(id);
    });
  }

  /** Applies changes below one node and returns the id of the node that replaces it. */
  async #apply(
    tx: WriteTx,
    nodeId: number,
    depth: number,
    changes: ReadonlyMap<number, number | undefined>,
  ): Promise<number> {
    const node = nodeId === EMPTY_STATE ? EMPTY_LEAF : await this.#node(tx, nodeId);
    if (node.kind === 'branch') return this.#applyToBranch(tx, nodeId, node, depth, changes);
    const entries = new Map<number, number>();
    addEntries(entries, node);
    let isChanged = false;
    for (const [key, value] of changes) {
      if (entries.get(key) === value) continue;
      isChanged = true;
      if (value === undefined) entries.delete(key);
      else entries.set(key, value);
    }
    return isChanged ? this.#write(tx, entries, depth) : nodeId;
  }

  async #applyToBranch(
    tx: WriteTx,
    nodeId: number,
    branch: Branch,
    depth: number,
    changes: ReadonlyMap<number, number | undefined>,
  ): Promise<number> {
    const children = Array.from({ length: 32 }, (_, slot) => childId(branch, slot));
    let isChanged = false;
    for (const [slot, part] of groupBySlot(changes, depth)) {
      const old = children[slot] ?? EMPTY_STATE;
      const changed = await this.#apply(tx, old, depth + 1, part);
      if (changed !== old) isChanged = true;
      children[slot] = changed;
    }
    return isChanged ? this.#insertBranch(tx, children) : nodeId;
  }

  /** Writes a subtree with exactly these entries. */
  async #write(tx: WriteTx, entries: ReadonlyMap<number, number>, depth: number): Promise<number> {
    if (entries.size === 0) return EMPTY_STATE;
    if (entries.size <= LEAF_ENTRIES_MAX || depth >= DEPTH_MAX) {
      const sorted = [...entries].sort(([a], [b]) => a - b);
      return this.#insert(tx, {
        kind: 'leaf',
        keys: sorted.map(([key]) => key),
        values: sorted.map(([, value]) => value),
      });
    }
    const children: number[] = Array.from({ length: 32 }, () => EMPTY_STATE);
    for (const [slot, part] of groupBySlot(entries, depth)) children[slot] = await this.#write(tx, part, depth + 1);
    return this.#insertBranch(tx, children);
  }

  /** @param children by slot, EMPTY_STATE where there is none */
  async #insertBranch(tx: WriteTx, children: readonly number[]): Promise<number> {
    let bitmap = 0;
    const ids: number[] = [];
    for (const [slot, id] of children.entries()) {
      if (id === EMPTY_STATE) continue;
      bitmap |= 1 << slot;
      ids.push(id);
    }
    return ids.length === 0 ? EMPTY_STATE : this.#insert(tx, { kind: 'branch', bitmap, children: ids });
  }

  async #insert(tx: WriteTx, node: StateNode): Promise<number> {
    const row = await tx.find(insertNode, { data: encodeNode(node) });
    if (row === undefined) throw new Error('an insert returns its row');
    this.#uncommittedOf(tx).set(row.node_id, node);
    return row.node_id;
  }

  async #node(tx: ReadTx, nodeId: number): Promise<StateNode> {
    const cached = this.#cached(tx, nodeId);
    if (cached !== undefined) return cached;
    const row = await tx.find(nodeById, { nodeId });
    if (row === undefined) throw new RangeError(`state node ${nodeId} is missing`);
    const node = decodeNode(row.data);
    this.#keep(tx, nodeId, node);
    return node;
  }

  /** Nodes by id, those not cached in one query; the empty state's is left out. */
  async #nodes(tx: ReadTx, nodeIds: Iterable<number>): Promise<ReadonlyMap<number, StateNode>> {
    const nodes = new Map<number, StateNode>();
    const missing = new Set<number>();
    for (const id of nodeIds) {
      if (id === EMPTY_STATE) continue;
      const cached = this.#cached(tx, id);
      if (cached === undefined) missing.add(id);
      else nodes.set(id, cached);
    }
    if (missing.size > 0) {
      for (const row of await tx.run(nodesByIds, { nodeIds: [...missing] })) {
        const node = decodeNode(row.data);
        nodes.set(row.node_id, node);
        missing.delete(row.node_id);
        this.#keep(tx, row.node_id, node);
      }
      for (const id of missing) throw new RangeError(`state node ${id} is missing`);
    }
    return nodes;
  }

  /** All entries below a node that was loaded. */
  async #collect(tx: ReadTx, node: StateNode, entries: Map<number, number>): Promise<void> {
    if (node.kind === 'leaf') {
      addEntries(entries, node);
      return;
    }
    for (const child of (await this.#nodes(tx, node.children)).values()) await this.#collect(tx, child, entries);
  }

  /** Ids reachable from roots; below a node of `known` nothing is looked at. */
  async #reachable(tx: ReadTx, roots: Iterable<number>, known: ReadonlySet<number>): Promise<Set<number>> {
    const reached = new Set<number>();
    let level = [...roots];
    while (level.length > 0) {
      const fresh = new Set(level.filter((id) => id !== EMPTY_STATE && !reached.has(id) && !known.has(id)));
      for (const id of fresh) reached.add(id);
      level = [];
      for (const node of (await this.#nodes(tx, fresh)).values()) {
        if (node.kind === 'branch') for (const child of node.children) level.push(child);
      }
    }
    return reached;
  }

  #cached(tx: ReadTx, nodeId: number): StateNode | undefined {
    return this.#cache.get(nodeId) ?? (isWriteTx(tx) ? this.#uncommitted.get(tx)?.get(nodeId) : undefined);
  }

  #keep(tx: ReadTx, nodeId: number, node: StateNode): void {
    if (isWriteTx(tx)) this.#uncommittedOf(tx).set(nodeId, node);
    else this.#cache.set(nodeId, node);
  }

  #uncommittedOf(tx: WriteTx): Map<number, StateNode> {
    const known = this.#uncommitted.get(tx);
    if (known !== undefined) return known;
    const nodes = new Map<number, StateNode>();
    this.#uncommitted.set(tx, nodes);
    tx.onCommit(() => {
      for (const [id, node] of nodes) this.#cache.set(id, node);
    });
    return nodes;
  }
}

function isWriteTx(tx: ReadTx | WriteTx): tx is WriteTx {
  return 'onCommit' in tx;
}

function childId(branch: Branch, slot: number): number {
  const index = childIndex(branch, slot);
  return index === undefined ? EMPTY_STATE : (branch.children[index] ?? EMPTY_STATE);
}

function addEntries(entries: Map<number, number>, leaf: Leaf): void {
  for (let index = 0; index < leaf.keys.length; index++) entries.set(leaf.keys[index] ?? 0, leaf.values[index] ?? 0);
}

function groupBySlot<V>(entries: ReadonlyMap<number, V>, depth: number): ReadonlyMap<number, ReadonlyMap<number, V>> {
  const groups = new Map<number, Map<number, V>>();
  for (const [key, value] of entries) {
    const slot = slotOf(key, depth);
    const group = groups.get(slot) ?? new Map<number, V>();
    group.set(key, value);
    groups.set(slot, group);
  }
  return groups;
}

function mapDifference(
  before: ReadonlyMap<number, number>,
  after: ReadonlyMap<number, number>,
): ReadonlyMap<number, number | undefined> {
  const difference = new Map<number, number | undefined>();
  for (const [key, value] of after) if (before.get(key) !== value) difference.set(key, value);
  for (const key of before.keys()) if (!after.has(key)) difference.set(key, undefined);
  return difference;
}

const nodeById = compiledOnce<{ nodeId: number }>()((db, p) =>
  db.selectFrom('state_nodes').select('data').where('node_id', '=', p('nodeId')),
);

const nodesByIds = compiledOnce<{ nodeIds: readonly number[] }>()((db, p) =>
  db.selectFrom('state_nodes').select(['node_id', 'data']).where('node_id', 'in', p.numbers('nodeIds')),
);

const insertNode = compiledOnce<{ data: Uint8Array }>()((db, p) =>
  db
    .insertInto('state_nodes')
    .values({ data: p('data') })
    .returning('node_id'),
);

const deleteNodes = compiledOnce<{ nodeIds: readonly number[] }>()((db, p) =>
  db
    .deleteFrom('state_nodes')
    .where('node_id', 'in', p.numbers('nodeIds'))
    .where('node_id', '<', (eb) => eb.selectFrom('state_nodes').select((max) => max.fn.max('node_id').as('last'))),
);
