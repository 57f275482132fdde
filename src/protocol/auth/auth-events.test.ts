import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomBuilder, testUser } from '../../testing/room-builder.ts';
import type { Event } from '../event/index.ts';
import { ROOM_VERSIONS, roomVersionRules } from '../room-versions/index.ts';
import { type AuthEventsOptions, checkAuthEvents } from './auth-events.ts';
import { selectAuthEvents } from './selection.ts';

function ruleOf(event: Event, authEvents: readonly Event[], options?: AuthEventsOptions): string | undefined {
  const verdict = checkAuthEvents(event, authEvents, options);
  return verdict.allowed ? undefined : verdict.rule;
}

function authEventsOf(room: RoomBuilder, event: Event): readonly Event[] {
  return event.authEvents.flatMap((id) => room.event(id) ?? []);
}

for (const { id: version } of ROOM_VERSIONS) {
  const top = version === '12' ? 3 : 2;
  describe(`auth events in room version ${version}`, () => {
    it('allows the selected ones', () => {
      const room = RoomBuilder.createPublic({ version });
      room.join('bob');
      room.invite('alice', 'carol');
      for (const event of [...room.events, room.send('bob', 'hi')])
        assert.equal(ruleOf(event, authEventsOf(room, event)), undefined);
    });

    it('refuses duplicates', () => {
      const room = RoomBuilder.createPublic({ version });
      const old = room.find('m.room.member', testUser('alice'));
      room.join('alice', { displayname: 'Alice' });
      const authEvents = authEventsOf(room, room.build({ type: 'm.room.message', sender: 'alice' }));
      const both = [...authEvents, ...(old === undefined ? [] : [old])];
      const twoOfAKey = room.build({
        type: 'm.room.message',
        sender: 'alice',
        authEvents: both.map(({ eventId }) => eventId),
      });
      assert.equal(ruleOf(twoOfAKey, both), `${top}.1 auth events are listed twice`);
      const ids = authEvents.map(({ eventId }) => eventId);
      const sameTwice = room.build({ type: 'm.room.message', sender: 'alice', authEvents: [...ids, ...ids] });
      assert.equal(ruleOf(sameTwice, authEvents), `${top}.1 auth events are listed twice`);
    });

    it('refuses what is not in the selection', () => {
      const room = RoomBuilder.createPublic({ version });
      const event = room.build({ type: 'm.room.message', sender: 'alice' });
      const authEvents = authEventsOf(room, event);
      const rule = `${top}.2 auth event is not one of the selection`;
      const joinRules = room.find('m.room.join_rules');
      assert.equal(ruleOf(event, joinRules === undefined ? [] : [...authEvents, joinRules]), rule);
      assert.equal(ruleOf(event, [...authEvents, room.send('alice', 'not state')]), rule);
      if (version === '12') assert.equal(ruleOf(event, [...authEvents, room.create]), rule);
    });

    it('refuses rejected ones', () => {
      const room = RoomBuilder.createPublic({ version });
      const event = room.send('alice', 'hi');
      const member = room.find('m.room.member', testUser('alice'));
      const isRejected = (id: string) => id === member?.eventId;
      assert.equal(ruleOf(event, authEventsOf(room, event), { isRejected }), `${top}.3 auth event was rejected`);
    });

    if (version !== '12') {
      it('refuses those without the create event', () => {
        const room = RoomBuilder.createPublic({ version });
        const event = room.send('alice', 'hi');
        const others = authEventsOf(room, event).filter(({ isCreate }) => !isCreate);
        assert.equal(ruleOf(event, others), '2.4 no create event among the auth events');
      });
    }

    it('refuses those of another room', () => {
      const room = RoomBuilder.createPublic({ version });
      const other = RoomBuilder.createPublic({ version, creator: '@alice:elsewhere.org' });
      other.join('alice');
      const foreign = other.find('m.room.member', testUser('alice'));
      const event = room.send('alice', 'hi');
      const authEvents = authEventsOf(room, event).filter(({ type }) => type !== 'm.room.member');
      const rule = `${top}.${version === '12' ? 4 : 5} auth event is of another room`;
      assert.equal(ruleOf(event, foreign === undefined ? [] : [...authEvents, foreign]), rule);
    });
  });
}

describe('selectAuthEvents', () => {
  const [alice, bob] = [testUser('alice'), testUser('bob')];
  const base = [
    ['m.room.power_levels', ''],
    ['m.room.member', alice],
  ];

  function select(version: string, draft: Partial<Parameters<typeof selectAuthEvents>[0]>) {
    const rules = roomVersionRules(version);
    assert.ok(rules);
    return selectAuthEvents({ type: 'm.room.member', sender: alice, content: {}, ...draft }, rules);
  }

  it('selects nothing for the create event', () => {
    assert.deepEqual(select('1', { type: 'm.room.create', stateKey: '' }), []);
  });

  it('selects the create event until version 11 only', () => {
    assert.deepEqual(select('11', { type: 'm.room.message' }), [['m.room.create', ''], ...base]);
    assert.deepEqual(select('12', { type: 'm.room.message' }), base);
  });

  it('selects the target and, for those who come in, the join rules', () => {
    const target = ['m.room.member', bob];
    const joinRules = ['m.room.join_rules', ''];
    for (const membership of ['invite', 'join', 'knock']) {
      assert.deepEqual(select('12', { stateKey: bob, content: { membership } }), [...base, target, joinRules]);
    }
    for (const membership of ['leave', 'ban']) {
      assert.deepEqual(select('12', { stateKey: bob, content: { membership } }), [...base, target]);
    }
    assert.deepEqual(select('12', { stateKey: alice, content: { membership: 'join' } }), [...base, joinRules]);
  });

  it('selects the third-party invite by its token', () => {
    const content = { membership: 'invite', third_party_invite: { signed: { token: 'abc' } } };
    assert.deepEqual(select('12', { stateKey: bob, content }).at(-1), ['m.room.third_party_invite', 'abc']);
    assert.deepEqual(select('12', { stateKey: bob, content: { ...content, membership: 'leave' } }).length, 3);
  });

  it('selects who authorised a restricted join, from version 8 on, and nobody twice', () => {
    const content = { membership: 'join', join_authorised_via_users_server: bob };
    assert.deepEqual(select('8', { stateKey: alice, content }).at(-1), ['m.room.member', bob]);
    assert.deepEqual(select('7', { stateKey: alice, content }).at(-1), ['m.room.join_rules', '']);
    const own = { membership: 'join', join_authorised_via_users_server: alice };
    assert.deepEqual(select('8', { stateKey: alice, content: own }).at(-1), ['m.room.join_rules', '']);
  });
});
