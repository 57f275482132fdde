import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RoomBuilder, testUser } from '../../testing/room-builder.ts';
import { checkAuth } from '../auth/index.ts';
import type { Event } from '../event/index.ts';
import type { EventId } from '../ids/index.ts';
import { readObject } from '../json/index.ts';
import { authDifference, conflictedSubgraph } from './auth-chains.ts';
import type { ResolutionInputs } from './inputs.ts';
import { missingForResolution } from './missing.ts';
import { resolveState, splitForResolution } from './resolve.ts';
import { conflictedStateSet } from './split.ts';
import type { StateMap } from './state-map.ts';

const USERS = ['alice', 'bob', 'carol', 'dave'] as const;
const ACTIONS = ['join', 'leave', 'ban', 'kick', 'invite', 'topic', 'levels', 'rules', 'merge'] as const;
const VERSIONS = ['1', '2', '6', '11', '12'] as const;
const RUNS = 60;

const step = fc.record({
  branch: fc.nat(2),
  sender: fc.constantFrom(...USERS),
  target: fc.constantFrom(...USERS),
  action: fc.constantFrom(...ACTIONS),
  level: fc.constantFrom(0, 10, 50, 100),
  // Few timestamps, so that ties are common.
  originServerTs: fc.nat(3),
});
const steps = fc.array(step, { maxLength: 30 });
type Step = Parameters<Parameters<typeof steps.map>[0]>[0][number];

/** Three branches of a room, grown by the steps that are allowed where they happen. */
function grow(version: string, all: readonly Step[]): readonly RoomBuilder[] {
  const room = RoomBuilder.createPublic({ version });
  const creator = room.rules.privilegedCreators ? {} : { [testUser('alice')]: 100 };
  room.powerLevels('alice', { users: { ...creator, [testUser('bob')]: 50, [testUser('carol')]: 50 }, invite: 10 });
  for (const name of ['bob', 'carol']) room.join(name);
  const branches = [room, room.fork(), room.fork()] as const;
  for (const one of all) {
    const branch = branches[one.branch] ?? room;
    if (one.action === 'merge') {
      branch.merge(branches[(one.branch + 1) % 3] ?? room);
      continue;
    }
    const event = eventOf(branch, one);
    if (checkAuth(event, branch.authState).allowed) branch.append(event);
  }
  return branches;
}

function eventOf(branch: RoomBuilder, { action, sender, target, level, originServerTs }: Step): Event {
  const draft = { sender, originServerTs };
  const member = (stateKey: string, membership: string) =>
    branch.build({ ...draft, type: 'm.room.member', stateKey: testUser(stateKey), content: { membership } });
  const state = (type: string, content: Record<string, string>) =>
    branch.build({ ...draft, type, stateKey: '', content });
  switch (action) {
    case 'join':
    case 'leave':
      return member(sender, action);
    case 'kick':
      return member(target, 'leave');
    case 'ban':
    case 'invite':
      return member(target, action);
    case 'rules':
      return state('m.room.join_rules', { join_rule: level > 10 ? 'public' : 'invite' });
    case 'levels': {
      const before = branch.find('m.room.power_levels')?.content ?? {};
      const users = { ...readObject(before, 'users'), [testUser(target)]: level };
      return branch.build({ ...draft, type: 'm.room.power_levels', stateKey: '', content: { ...before, users } });
    }
    default:
      return state('m.room.topic', { topic: `${sender} ${level}` });
  }
}

function statesOf(branches: readonly RoomBuilder[]): readonly StateMap<EventId>[] {
  return branches.map(({ state }) => state);
}

function sorted(state: StateMap<EventId>): readonly (readonly [string, EventId])[] {
  return [...state].toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** Runs a property in rooms of every algorithm. */
function holds(property: (room: RoomBuilder, branches: readonly RoomBuilder[]) => void): void {
  for (const version of VERSIONS) {
    fc.assert(
      fc.property(steps, (all) => {
        const branches = grow(version, all);
        const [room] = branches;
        if (room !== undefined) property(room, branches);
      }),
      { numRuns: RUNS },
    );
  }
}

describe('state resolution as a function', () => {
  it('does not depend on the order of the states', () => {
    holds((room, branches) => {
      const states = statesOf(branches);
      const expected = sorted(resolveState(room.rules, states, room.inputs));
      for (const order of [
        [2, 1, 0],
        [1, 2, 0],
        [0, 2, 1],
      ]) {
        const shuffled = order.flatMap((index) => states[index] ?? []);
        assert.deepEqual(sorted(resolveState(room.rules, shuffled, room.inputs)), expected);
      }
    });
  });

  it('does not depend on the order within states, nor on states that come twice', () => {
    holds((room, branches) => {
      const states = statesOf(branches);
      const expected = sorted(resolveState(room.rules, states, room.inputs));
      const reversed = states.map((state) => new Map([...state].toReversed()));
      assert.deepEqual(sorted(resolveState(room.rules, reversed, room.inputs)), expected);
      assert.deepEqual(sorted(resolveState(room.rules, [...states, ...reversed], room.inputs)), expected);
    });
  });

  it('leaves its own result as it is', () => {
    holds((room, branches) => {
      const once = resolveState(room.rules, statesOf(branches), room.inputs);
      assert.deepEqual(sorted(resolveState(room.rules, [once, new Map(once)], room.inputs)), sorted(once));
    });
  });

  it('keeps everything that all states agree on, and invents nothing', () => {
    holds((room, branches) => {
      const states = statesOf(branches);
      const result = resolveState(room.rules, states, room.inputs);
      const { unconflicted } = splitForResolution(room.rules, states);
      for (const [key, id] of unconflicted) assert.equal(result.get(key), id);
      const ids = new Set(room.events.map(({ eventId }) => eventId));
      for (const id of result.values()) assert.ok(ids.has(id));
    });
  });

  it('needs nothing but what missingForResolution asks for', () => {
    holds((room, branches) => {
      const states = statesOf(branches);
      const loaded = new Map<EventId, Event>();
      const inputs: ResolutionInputs = { event: (id) => loaded.get(id) };
      for (let missing = missingForResolution(room.rules, states, inputs); missing.length > 0; ) {
        for (const id of missing) {
          const event = room.event(id);
          assert.ok(event);
          assert.ok(!loaded.has(id));
          loaded.set(id, event);
        }
        missing = missingForResolution(room.rules, states, inputs);
      }
      const expected = sorted(resolveState(room.rules, states, room.inputs));
      assert.deepEqual(sorted(resolveState(room.rules, states, inputs)), expected);
    });
  });
});

describe('what is replayed', () => {
  it('is the auth difference as it is defined', () => {
    holds((room, branches) => {
      const states = statesOf(branches);
      const chains = states.map((state) => fullAuthChain(room, state.values()));
      const union = new Set(chains.flatMap((chain) => [...chain]));
      const expected = [...union].filter((id) => !chains.every((chain) => chain.has(id)));
      const split = splitForResolution(room.rules, states);
      // v1 takes states without a key as agreeing; the auth difference is of the later algorithms.
      if (room.rules.stateResolution === 'v1') return;
      assert.deepEqual([...authDifference(split, room.inputs)].toSorted(), expected.toSorted());
    });
  });

  it('is the conflicted state subgraph as it is defined', () => {
    holds((room, branches) => {
      const split = splitForResolution(room.rules, statesOf(branches));
      const conflicted = conflictedStateSet(split);
      const expected = room.events
        .map(({ eventId }) => eventId)
        .filter((id) => {
          const reachesOne = [...fullAuthChain(room, [id])].some((other) => conflicted.has(other));
          const isReached = [...conflicted].some((start) => fullAuthChain(room, [start]).has(id));
          return conflicted.has(id) || (reachesOne && isReached);
        });
      assert.deepEqual([...conflictedSubgraph(split, room.inputs)].toSorted(), expected.toSorted());
    });
  });
});

function fullAuthChain(room: RoomBuilder, ids: Iterable<EventId>): Set<EventId> {
  const chain = new Set<EventId>();
  const todo = [...ids];
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    for (const authEventId of room.event(id)?.authEvents ?? []) {
      if (!chain.has(authEventId)) todo.push(authEventId);
      chain.add(authEventId);
    }
  }
  return chain;
}
