import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomBuilder, testUser } from '../../testing/room-builder.ts';
import type { Event } from '../event/index.ts';
import type { EventId } from '../ids/index.ts';
import type { JsonObject } from '../json/index.ts';
import { resolveState } from './resolve.ts';
import { type StateMap, stateKeyOf } from './state-map.ts';
import type { ResolutionStep } from './trace.ts';

const POWER_LEVELS = stateKeyOf('m.room.power_levels', '');
const JOIN_RULES = stateKeyOf('m.room.join_rules', '');
const TOPIC = stateKeyOf('m.room.topic', '');

function member(name: string): string {
  return stateKeyOf('m.room.member', testUser(name));
}

/** Power levels; alice has 100, in room version 12 as the creator. */
function levels(room: RoomBuilder, users: Record<string, number>, rest: JsonObject = {}): JsonObject {
  const creator = room.rules.privilegedCreators ? {} : { [testUser('alice')]: 100 };
  const others = Object.fromEntries(Object.entries(users).map(([name, level]) => [testUser(name), level]));
  return { ...rest, users: { ...creator, ...others } };
}

function roomWith(version: string, users: Record<string, number>): RoomBuilder {
  const room = RoomBuilder.createPublic({ version });
  room.powerLevels('alice', levels(room, users));
  for (const name of Object.keys(users)) room.join(name);
  return room;
}

/** Resolves in both orders, which must give the same. */
function resolve(room: RoomBuilder, other: RoomBuilder): StateMap<EventId> {
  const state = room.resolve(other);
  assert.deepEqual(new Map([...other.resolve(room)].toSorted()), new Map([...state].toSorted()));
  return state;
}

function assertWins(state: StateMap<EventId>, event: Event): void {
  assert.equal(state.get(stateKeyOf(event.type, event.stateKey ?? '')), event.eventId);
}

for (const version of ['2', '6', '11', '12']) {
  describe(`state resolution in room version ${version}`, () => {
    it('gives the state itself where there is one, or several alike', () => {
      const room = roomWith(version, { bob: 0 });
      assert.equal(resolveState(room.rules, [room.state], room.inputs), room.state);
      assert.deepEqual(resolveState(room.rules, [room.state, room.fork().state], room.inputs), room.state);
      assert.deepEqual(resolveState(room.rules, [], room.inputs), new Map());
    });

    it('brings together what does not conflict', () => {
      const room = roomWith(version, { bob: 50 });
      const other = room.fork();
      const topic = room.setState('alice', 'm.room.topic', { topic: 'Fire' });
      const name = other.setState('bob', 'm.room.name', { name: 'Inglenook' });
      const state = resolve(room, other);
      assertWins(state, topic);
      assertWins(state, name);
    });

    it('puts a ban above what the banned did at the same time', () => {
      const room = roomWith(version, { bob: 50 });
      const other = room.fork();
      const ban = room.ban('alice', 'bob');
      other.setState('bob', 'm.room.topic', { topic: 'Mine' });
      const join = other.join('bob', { displayname: 'Bob' });
      const state = resolve(room, other);
      assertWins(state, ban);
      assert.equal(state.get(TOPIC), undefined);
      assert.notEqual(state.get(member('bob')), join.eventId);
    });

    it('puts a ban above a join at the same time, whichever is older', () => {
      for (const banTs of [1_800_000_000_000, 1_600_000_000_000]) {
        const room = roomWith(version, { mod: 50 });
        const other = room.fork();
        const content = { membership: 'ban' };
        const ban = room.add({
          type: 'm.room.member',
          sender: 'mod',
          stateKey: testUser('eve'),
          content,
          originServerTs: banTs,
        });
        other.join('eve');
        assertWins(resolve(room, other), ban);
      }
    });

    it('puts a kick, and a closed door, above what was done at the same time', () => {
      const room = roomWith(version, { bob: 50, mod: 60 });
      const other = room.fork();
      other.setState('bob', 'm.room.topic', { topic: 'Mine' });
      other.join('eve');
      const later = 1_900_000_000_000;
      const stateKey = testUser('bob');
      room.add({
        type: 'm.room.member',
        sender: 'mod',
        stateKey,
        content: { membership: 'leave' },
        originServerTs: later,
      });
      const content = { join_rule: 'invite' };
      const rules = room.add({
        type: 'm.room.join_rules',
        sender: 'mod',
        stateKey: '',
        content,
        originServerTs: later + 1,
      });
      const state = resolve(room, other);
      assert.equal(state.get(member('bob')), room.state.get(member('bob')));
      assert.equal(state.get(TOPIC), undefined);
      assertWins(state, rules);
      assert.equal(state.get(member('eve')), undefined);
    });

    it('lets the more powerful win a fight about power levels, and undoes what the other did', () => {
      const room = roomWith(version, { bob: 50, eve: 0 });
      const other = room.fork();
      other.powerLevels('bob', levels(other, { bob: 50, eve: 50 }));
      other.setState('eve', 'm.room.topic', { topic: 'Eve was here' });
      const demotion = room.powerLevels('alice', levels(room, { bob: 0, eve: 0 }));
      const state = resolve(room, other);
      assertWins(state, demotion);
      assert.equal(state.get(TOPIC), undefined);
    });

    it('lets the earlier go first among equals, so that the last allowed one stays', () => {
      const room = roomWith(version, { bob: 50, carol: 50 });
      const other = room.fork();
      room.powerLevels('bob', levels(room, { bob: 50, carol: 50, dave: 10 }));
      const later = other.powerLevels('carol', levels(other, { bob: 50, carol: 50, eve: 10 }));
      assertWins(resolve(room, other), later);
    });

    it('breaks a tie of power and time by event id', () => {
      const room = roomWith(version, { bob: 50, carol: 50 });
      const other = room.fork();
      const at = { type: 'm.room.join_rules', stateKey: '', originServerTs: 1_800_000_000_000 };
      const one = room.add({ ...at, sender: 'bob', content: { join_rule: 'invite' } });
      const two = other.add({ ...at, sender: 'carol', content: { join_rule: 'invite' } });
      assertWins(resolve(room, other), one.eventId > two.eventId ? one : two);
    });

    it('lets mutual bans of unequals end with the more powerful one inside', () => {
      const room = roomWith(version, { bob: 60, carol: 50 });
      const other = room.fork();
      const ban = room.ban('bob', 'carol');
      other.powerLevels('carol', levels(other, { bob: 60, carol: 50, eve: 50 }));
      other.kick('carol', 'eve');
      const state = resolve(room, other);
      assertWins(state, ban);
      assert.equal(state.get(member('eve')), undefined);
      assert.equal(state.get(POWER_LEVELS), room.state.get(POWER_LEVELS));
    });

    it('lets the topic under later power levels win, whatever the clocks say', () => {
      const room = roomWith(version, { bob: 50 });
      const other = room.fork();
      const type = 'm.room.topic';
      other.add({
        type,
        stateKey: '',
        sender: 'bob',
        content: { topic: 'old power' },
        originServerTs: 1_900_000_000_000,
      });
      room.powerLevels('alice', levels(room, { bob: 50, carol: 10 }));
      const late = room.add({ type, stateKey: '', sender: 'bob', content: { topic: 'new power' }, originServerTs: 1 });
      assertWins(resolve(room, other), late);
    });

    it('breaks a tie of mainline places by time, then by event id', () => {
      const room = roomWith(version, { bob: 50 });
      const topic = (branch: RoomBuilder, text: string, originServerTs: number) =>
        branch.add({ type: 'm.room.topic', stateKey: '', sender: 'bob', content: { topic: text }, originServerTs });
      const [a, b] = [room.fork(), room.fork()];
      const newer = topic(a, 'one', 2000);
      topic(b, 'two', 1000);
      assertWins(resolve(a, b), newer);
      const [c, d] = [room.fork(), room.fork()];
      const [one, two] = [topic(c, 'one', 1000), topic(d, 'two', 1000)];
      assertWins(resolve(c, d), one.eventId > two.eventId ? one : two);
    });

    it('resolves three branches as one set', () => {
      const room = roomWith(version, { bob: 50, carol: 50 });
      const [b, c] = [room.fork(), room.fork()];
      const ban = room.ban('alice', 'carol');
      b.setState('bob', 'm.room.topic', { topic: 'by bob' });
      c.setState('carol', 'm.room.topic', { topic: 'by carol' });
      const state = room.resolve(b, c);
      assertWins(state, ban);
      assert.equal(state.get(TOPIC), b.state.get(TOPIC));
    });

    it('tells which candidate lost by which rule', () => {
      const room = roomWith(version, { bob: 50 });
      const other = room.fork();
      const ban = room.ban('alice', 'bob');
      const topic = other.setState('bob', 'm.room.topic', { topic: 'Mine' });
      const steps: ResolutionStep[] = [];
      room.resolveTraced((step) => steps.push(step), other);
      const banned = steps.find(({ eventId }) => eventId === ban.eventId);
      assert.deepEqual([banned?.phase, banned?.verdict.allowed], ['power events', true]);
      const lost = steps.find(({ eventId }) => eventId === topic.eventId);
      assert.equal(lost?.phase, 'mainline');
      assert.match(lost?.verdict.allowed === false ? lost.verdict.rule : '', /^[56] sender is not in the room$/);
    });
  });
}

/** Everybody has the new join rules in their auth chains, one state has the old ones, and their author has left. */
function problemA(version: string) {
  const room = RoomBuilder.createPublic({ version });
  const old = room.state.get(JOIN_RULES);
  assert.ok(old);
  for (const name of ['bob', 'charlie']) room.join(name);
  const current = room.setState('alice', 'm.room.join_rules', { join_rule: 'invite' });
  room.leave('alice');
  const outdated = room.fork();
  room.join('bob', { displayname: 'Bob' });
  outdated.join('charlie', { displayname: 'Charlie' });
  outdated.state.set(JOIN_RULES, old);
  return { state: resolve(room, outdated), current };
}

/** bob, promoted by alice, promotes charlie; one state has the power levels from before both. */
function problemB(version: string) {
  const room = RoomBuilder.createPublic({ version });
  const old = room.state.get(POWER_LEVELS);
  assert.ok(old);
  for (const name of ['bob', 'charlie']) room.join(name);
  room.powerLevels('alice', levels(room, { bob: 50 }));
  const current = room.powerLevels('bob', levels(room, { bob: 50, charlie: 50 }));
  const outdated = room.fork();
  room.join('zara');
  outdated.join('eve');
  outdated.join('eve', { displayname: 'Eve' });
  outdated.state.set(POWER_LEVELS, old);
  return { state: resolve(room, outdated), current, old };
}

describe('state resets of MSC4297', () => {
  it('lose the join rules until version 11, and not in version 12 (problem A)', () => {
    assert.equal(problemA('11').state.get(JOIN_RULES), undefined);
    const { state, current } = problemA('12');
    assertWins(state, current);
  });

  it('leave agreed state alone, although its past is replayed', () => {
    const room = RoomBuilder.createPublic({ version: '12' });
    const old = room.state.get(JOIN_RULES);
    assert.ok(old);
    room.join('alice', { displayname: 'Alice' });
    room.join('bob');
    const current = room.setState('alice', 'm.room.join_rules', { join_rule: 'invite' });
    const left = room.leave('alice');
    const outdated = room.fork();
    outdated.state.set(JOIN_RULES, old);
    const replayed: EventId[] = [];
    const state = room.resolveTraced(({ eventId }) => replayed.push(eventId), outdated);
    assert.equal(replayed.length, 3);
    assertWins(state, left);
    assertWins(state, current);
  });

  it('go back to old power levels until version 11, and not in version 12 (problem B)', () => {
    const before = problemB('11');
    assert.equal(before.state.get(POWER_LEVELS), before.old);
    const { state, current } = problemB('12');
    assertWins(state, current);
  });
});

describe('rejected events in state resolution', () => {
  it('authorise nothing', () => {
    const room = roomWith('10', { bob: 0 });
    const other = room.fork();
    const join = other.join('carol');
    const own = other.join('carol', { displayname: 'Carol' });
    const inputs = { ...room.inputs, isRejected: (id: EventId) => id === join.eventId };
    // Under this join rule the second join needs the first one, which is replayed and refused.
    const invited = room.fork();
    invited.setState('alice', 'm.room.join_rules', { join_rule: 'invite' });
    const accepted = resolveState(room.rules, [invited.state, other.state], room.inputs);
    assert.equal(accepted.get(member('carol')), own.eventId);
    const refused = resolveState(room.rules, [invited.state, other.state], inputs);
    assert.equal(refused.get(member('carol')), undefined);
  });
});
