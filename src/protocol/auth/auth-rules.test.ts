import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomBuilder, testUser } from '../../testing/room-builder.ts';
import type { Event } from '../event/index.ts';
import { ROOM_VERSIONS } from '../room-versions/index.ts';
import { checkAuth } from './check.ts';

const VERSIONS: readonly string[] = ROOM_VERSIONS.map(({ id }) => id);

/** The room versions from `first` to `last`. */
function versions(first: number, last = 12): readonly string[] {
  return VERSIONS.slice(first - 1, last);
}

/** Checks an event against the state of the branch. */
function check(room: RoomBuilder, event: Event) {
  return checkAuth(event, room.authState);
}

function assertAllowed(room: RoomBuilder, event: Event): void {
  assert.deepEqual(check(room, event), { allowed: true });
}

/** `rule`: how the refusal's rule begins, by number and name. */
function assertRefused(room: RoomBuilder, event: Event, rule: string): void {
  const verdict = check(room, event);
  assert.equal(verdict.allowed, false);
  assert.equal(verdict.allowed ? '' : verdict.rule, rule);
}

/** The number of the rules on members: before 6 there is one on aliases, in 12 one on the room id. */
function memberNumber(version: string): number {
  return ['1', '2', '3', '4', '5', '12'].includes(version) ? 5 : 4;
}

for (const version of VERSIONS) {
  const m = memberNumber(version);
  // From version 8 on there is one more rule before those on each membership.
  const before = Number(version) >= 8 ? 2 : 1;
  const [join, invite, leave, ban] = [
    `${m}.${before + 1}`,
    `${m}.${before + 2}`,
    `${m}.${before + 3}`,
    `${m}.${before + 4}`,
  ];

  describe(`authorization in room version ${version}`, () => {
    it('allows the first events of a room', () => {
      const room = RoomBuilder.create({ version });
      assertAllowed(room, room.create);
      const first = room.build({
        type: 'm.room.member',
        sender: 'alice',
        stateKey: testUser('alice'),
        content: { membership: 'join' },
      });
      assertAllowed(room, first);
    });

    it('refuses a create event with prev events, or of an unknown room version', () => {
      const room = RoomBuilder.create({ version });
      const other = RoomBuilder.create({ version, content: { room_version: '99' } });
      assertRefused(other, other.create, '1.3 room version is unknown');
      if (version !== '12') {
        const late = room.build({ type: 'm.room.create', sender: 'alice', stateKey: '', content: room.create.content });
        assertRefused(room, late, '1.1 create event has prev_events');
      }
    });

    it('refuses everything where the state has no create event', () => {
      const room = RoomBuilder.createPublic({ version });
      const verdict = checkAuth(room.build({ type: 'm.room.message', sender: 'alice' }), { get: () => undefined });
      assert.equal(verdict.allowed, false);
    });

    it('lets only the creator in before there are join rules', () => {
      const room = RoomBuilder.create({ version });
      const stranger = {
        type: 'm.room.member',
        sender: 'bob',
        stateKey: testUser('bob'),
        content: { membership: 'join' },
      };
      const number = Number(version) >= 8 ? 7 : 6;
      assertRefused(room, room.build(stranger), `${join}.${number} join rule lets nobody in`);
    });

    it('lets the creator in by the create event alone only right after it', () => {
      const room = RoomBuilder.create({ version });
      const [createId] = room.forwardExtremities;
      assert.ok(createId);
      const content = { membership: 'join' };
      const rejoin = { type: 'm.room.member', sender: 'alice', stateKey: testUser('alice'), content };
      room.join('alice');
      const { eventId: leftId } = room.leave('alice');
      const rule = `${join}.${Number(version) >= 8 ? 7 : 6} join rule lets nobody in`;
      assertRefused(room, room.build(rejoin), rule);
      assertRefused(room, room.build({ ...rejoin, prevEvents: [createId, leftId] }), rule);
      assertAllowed(room, room.build({ ...rejoin, prevEvents: [createId] }));
    });

    it('keeps users of other servers out of rooms that are not federated', () => {
      const room = RoomBuilder.createPublic({ version, content: { 'm.federate': false } });
      assertAllowed(room, room.fork().join('bob'));
      const number = version === '12' ? 4 : 3;
      assertRefused(room, room.fork().join('@bob:elsewhere.org'), `${number} room is not federated`);
    });

    it('lets anybody join a public room, but nobody for somebody else, and no banned user', () => {
      const room = RoomBuilder.createPublic({ version });
      assertAllowed(room, room.fork().join('bob'));
      assertRefused(room, room.fork().member('alice', 'bob', 'join'), `${join}.2 joins somebody else`);
      room.ban('alice', 'bob');
      assertRefused(room, room.fork().join('bob'), `${join}.3 sender is banned`);
    });

    it('lets only the invited join a room with the rule invite, which holds without join rules too', () => {
      for (const withRule of [true, false]) {
        const room = RoomBuilder.create({ version });
        room.join('alice');
        if (withRule) room.setState('alice', 'm.room.join_rules', { join_rule: 'invite' });
        const number = Number(version) >= 8 ? 7 : 6;
        assertRefused(room, room.fork().join('bob'), `${join}.${number} join rule lets nobody in`);
        room.invite('alice', 'bob');
        assertAllowed(room, room.fork().join('bob'));
        room.join('bob');
        assertAllowed(room, room.fork().join('bob', { displayname: 'Bob' }));
      }
    });

    it('refuses members without membership, state key or known membership', () => {
      const room = RoomBuilder.createPublic({ version });
      const rule = `${m}.1 no state_key or no membership`;
      const stateKey = testUser('alice');
      assertRefused(
        room,
        room.build({ type: 'm.room.member', sender: 'alice', content: { membership: 'join' } }),
        rule,
      );
      assertRefused(room, room.build({ type: 'm.room.member', sender: 'alice', stateKey, content: {} }), rule);
      const notUser = { type: 'm.room.member', sender: 'alice', stateKey: 'bob', content: { membership: 'invite' } };
      assertRefused(room, room.build(notUser), rule);
      const last = Number(version) >= 8 ? 8 : Number(version) >= 7 ? 7 : 6;
      assertRefused(room, room.fork().member('alice', 'alice', 'dance'), `${m}.${last} membership is unknown`);
    });

    it('lets members with enough power invite, but not those who are in or banned', () => {
      const room = RoomBuilder.createPublic({ version });
      room.join('bob');
      assertAllowed(room, room.fork().invite('bob', 'carol'));
      assertRefused(room, room.fork().invite('dave', 'carol'), `${invite}.2 inviter is not in the room`);
      assertRefused(room, room.fork().invite('alice', 'bob'), `${invite}.3 invited user is in the room or banned`);
      room.ban('alice', 'carol');
      assertRefused(room, room.fork().invite('alice', 'carol'), `${invite}.3 invited user is in the room or banned`);
      room.powerLevels('alice', { ...room.find('m.room.power_levels')?.content, invite: 50 });
      assertAllowed(room, room.fork().invite('alice', 'dave'));
      assertRefused(room, room.fork().invite('bob', 'dave'), `${invite}.5 not enough power for inviting`);
    });

    it('lets users leave and decline, but not who is out or banned', () => {
      const room = RoomBuilder.createPublic({ version });
      room.join('bob');
      room.invite('alice', 'carol');
      assertAllowed(room, room.fork().leave('bob'));
      assertAllowed(room, room.fork().leave('carol'));
      assertRefused(room, room.fork().leave('dave'), `${leave}.1 leaves without being in`);
      room.ban('alice', 'bob');
      assertRefused(room, room.fork().leave('bob'), `${leave}.1 leaves without being in`);
    });

    it('lets the powerful kick the less powerful', () => {
      const room = roomWithModerators(version);
      assertAllowed(room, room.fork().kick('mod1', 'user'));
      assertRefused(room, room.fork().kick('mod1', 'mod2'), `${leave}.5 not enough power for kicking`);
      assertRefused(room, room.fork().kick('user', 'other'), `${leave}.5 not enough power for kicking`);
      assertRefused(room, room.fork().kick('stranger', 'user'), `${leave}.2 kicker is not in the room`);
    });

    it('lets the powerful ban the less powerful, and unban with the power for both kick and ban', () => {
      const room = roomWithModerators(version);
      assertAllowed(room, room.fork().ban('mod1', 'user'));
      assertAllowed(room, room.fork().ban('mod1', 'stranger'));
      assertRefused(room, room.fork().ban('mod1', 'mod2'), `${ban}.3 not enough power for banning`);
      assertRefused(room, room.fork().ban('user', 'other'), `${ban}.3 not enough power for banning`);
      assertRefused(room, room.fork().ban('stranger', 'user'), `${ban}.1 banner is not in the room`);
      room.ban('alice', 'user');
      assertAllowed(room, room.fork().kick('mod1', 'user'));
      room.powerLevels('alice', { ...room.find('m.room.power_levels')?.content, ban: 60 });
      assertRefused(room, room.fork().kick('mod1', 'user'), `${leave}.3 not enough power for unbanning`);
    });

    it('lets only members send, with the power that the type needs', () => {
      const room = roomWithModerators(version);
      const topic = (name: string) => room.fork().setState(name, 'm.room.topic', { topic: 'Fire' });
      assertAllowed(room, room.fork().send('user', 'hello'));
      assertAllowed(room, topic('mod1'));
      assertRefused(room, room.fork().send('stranger', 'hello'), `${m + 1} sender is not in the room`);
      assertRefused(room, topic('user'), `${m + 3} not enough power for this type`);
      room.powerLevels('alice', { ...room.find('m.room.power_levels')?.content, events: { 'm.room.message': 50 } });
      assertAllowed(room, room.fork().send('mod1', 'hello'));
      assertRefused(room, room.fork().send('user', 'hello'), `${m + 3} not enough power for this type`);
    });

    it('keeps state under a user id for that user', () => {
      const room = roomWithModerators(version);
      assertAllowed(room, room.fork().setState('mod1', 'org.own', {}, testUser('mod1')));
      assertAllowed(room, room.fork().setState('mod1', 'org.own', {}, 'key'));
      assertRefused(
        room,
        room.fork().setState('mod1', 'org.own', {}, testUser('user')),
        `${m + 4} state of another user`,
      );
    });

    it('asks for the power to invite for third-party invites', () => {
      const room = roomWithModerators(version);
      const add = (name: string) => room.fork().setState(name, 'm.room.third_party_invite', {}, 'token');
      assertAllowed(room, add('user'));
      room.powerLevels('alice', { ...room.find('m.room.power_levels')?.content, invite: 50 });
      assertAllowed(room, add('mod1'));
      assertRefused(room, add('user'), `${m + 2}.1 not enough power for inviting`);
    });
  });
}

/** alice has created it, mod1 and mod2 have 50, user and other 0. */
function roomWithModerators(version: string): RoomBuilder {
  const room = RoomBuilder.createPublic({ version });
  const creator = room.rules.privilegedCreators ? {} : { [testUser('alice')]: 100 };
  room.powerLevels('alice', { users: { ...creator, [testUser('mod1')]: 50, [testUser('mod2')]: 50 } });
  for (const name of ['mod1', 'mod2', 'user', 'other']) room.join(name);
  return room;
}

describe('authorization that differs between room versions', () => {
  it('asks for content.creator until version 10', () => {
    for (const version of versions(1, 10)) {
      const room = RoomBuilder.create({ version });
      const { creator: _, ...content } = room.create.content;
      const event = room.build({ type: 'm.room.create', sender: 'alice', stateKey: '', content, prevEvents: [] });
      assertRefused(room, event, '1.4 create event has no creator');
    }
    const room = RoomBuilder.create({ version: '11' });
    assertAllowed(room, room.create);
  });

  it('lets nobody create a room id of another server until version 11', () => {
    for (const version of versions(1, 11)) {
      const room = RoomBuilder.create({ version });
      const { content } = room.create;
      const event = room.build({
        type: 'm.room.create',
        sender: '@eve:evil.org',
        stateKey: '',
        content,
        prevEvents: [],
      });
      assertRefused(room, event, '1.2 room id is of another server than the sender');
    }
  });

  it('takes only user ids for additional_creators in version 12', () => {
    const create = (ids: (string | number)[] | string, version = '12') =>
      RoomBuilder.create({ version, content: { additional_creators: ids } });
    for (const good of [[], ['@bob:example.org', '@Carol Historical:example.org']]) {
      const room = create(good);
      assertAllowed(room, room.create);
    }
    for (const bad of ['@bob:example.org', ['bob'], [5], ['@bob:']]) {
      const room = create(bad);
      assertRefused(room, room.create, '1.4 additional_creators are not user ids');
      const before = create(bad, '11');
      assertAllowed(before, before.create);
    }
  });

  it('refuses events of another room in version 12, where the room id is that of the create event', () => {
    const room = RoomBuilder.createPublic({ version: '12' });
    const other = RoomBuilder.createPublic({ version: '12', creator: 'bob' });
    assertRefused(other, room.send('alice', 'hello'), '2 room id is not that of a create event');
  });

  it('judges aliases by their server until version 5, and as any state from 6 on', () => {
    for (const version of versions(1, 5)) {
      const room = RoomBuilder.createPublic({ version });
      assertAllowed(room, room.fork().setState('stranger', 'm.room.aliases', {}, 'example.org'));
      assertRefused(
        room,
        room.fork().setState('stranger', 'm.room.aliases', {}, 'elsewhere.org'),
        '4.2 aliases of another server',
      );
      assertRefused(room, room.build({ type: 'm.room.aliases', sender: 'alice' }), '4.1 aliases without a state_key');
    }
    for (const version of versions(6)) {
      const room = RoomBuilder.createPublic({ version });
      assertAllowed(room, room.fork().setState('alice', 'm.room.aliases', {}, 'example.org'));
      const rule = `${memberNumber(version) + 1} sender is not in the room`;
      assertRefused(room, room.fork().setState('stranger', 'm.room.aliases', {}, 'example.org'), rule);
    }
  });

  it('judges redactions in versions 1 and 2 by power or by the server of the redacted event', () => {
    for (const version of versions(1, 2)) {
      const room = roomWithModerators(version);
      room.join('@far:elsewhere.org');
      const message = room.send('user', 'hello');
      const redact = (sender: string) => room.build({ type: 'm.room.redaction', sender, redacts: message.eventId });
      assertAllowed(room, redact('mod1'));
      assertAllowed(room, redact('other'));
      assertRefused(room, redact('@far:elsewhere.org'), '11.3 not enough power for redacting');
    }
    for (const version of versions(3)) {
      const room = roomWithModerators(version);
      room.join('@far:elsewhere.org');
      const message = room.send('user', 'hello');
      assertAllowed(
        room,
        room.build({ type: 'm.room.redaction', sender: '@far:elsewhere.org', redacts: message.eventId }),
      );
    }
  });

  it('knows knocking from version 7 on', () => {
    for (const version of versions(1, 6)) {
      const room = roomWithJoinRule(version, 'knock');
      const rule = `${memberNumber(version)}.6 membership is unknown`;
      assertRefused(room, room.fork().member('bob', 'bob', 'knock'), rule);
      room.invite('alice', 'bob');
      assertRefused(room, room.fork().join('bob'), `${memberNumber(version)}.2.6 join rule lets nobody in`);
    }
    for (const version of versions(7)) {
      const knock = `${memberNumber(version)}.${version === '7' ? 6 : 7}`;
      const room = roomWithJoinRule(version, 'knock');
      assertAllowed(room, room.fork().member('bob', 'bob', 'knock'));
      assertRefused(room, room.fork().member('alice', 'bob', 'knock'), `${knock}.2 knocks for somebody else`);
      const rule = `${knock}.4 knocks while banned, invited or in the room`;
      assertRefused(room, room.fork().member('alice', 'alice', 'knock'), rule);
      room.member('bob', 'bob', 'knock');
      assertAllowed(room, room.fork().leave('bob'));
      room.invite('alice', 'bob');
      assertRefused(room, room.fork().member('bob', 'bob', 'knock'), rule);
      assertAllowed(room, room.fork().join('bob'));
      const shut = roomWithJoinRule(version, 'invite');
      assertRefused(shut, shut.fork().member('bob', 'bob', 'knock'), `${knock}.1 room is not for knocking`);
    }
  });

  it('knows restricted rooms from version 8 on, and knock_restricted from 10 on', () => {
    for (const version of versions(8)) {
      const m = memberNumber(version);
      const joinRules = Number(version) >= 10 ? ['restricted', 'knock_restricted'] : ['restricted'];
      for (const joinRule of joinRules) {
        const room = roomWithJoinRule(version, joinRule);
        const joinBy = (authoriser: string, signed = true) =>
          room.fork().join(signed ? 'bob' : '@bob:elsewhere.org', { join_authorised_via_users_server: authoriser });
        assertAllowed(room, joinBy(testUser('alice')));
        const rule = `${m}.3.5.2 not authorised by somebody who may invite`;
        assertRefused(room, room.fork().join('bob'), rule);
        assertRefused(room, joinBy(testUser('stranger')), rule);
        assertRefused(room, joinBy(testUser('alice'), false), `${m}.2.1 not signed by the server that authorised it`);
        room.join('weak');
        assertAllowed(room, joinBy(testUser('weak')));
        room.powerLevels('alice', { ...room.find('m.room.power_levels')?.content, invite: 10 });
        assertRefused(room, joinBy(testUser('weak')), rule);
        room.invite('alice', 'carol');
        assertAllowed(room, room.fork().join('carol'));
      }
    }
    const nine = roomWithJoinRule('9', 'knock_restricted');
    assertRefused(nine, nine.fork().member('bob', 'bob', 'knock'), '4.7.1 room is not for knocking');
    const ten = roomWithJoinRule('10', 'knock_restricted');
    assertAllowed(ten, ten.fork().member('bob', 'bob', 'knock'));
    const seven = roomWithJoinRule('7', 'restricted');
    const content = { join_authorised_via_users_server: testUser('alice') };
    assertRefused(seven, seven.fork().join('bob', content), '4.2.6 join rule lets nobody in');
  });

  it('puts creators above everybody in version 12, but not above each other', () => {
    const room = RoomBuilder.createPublic({ version: '12', content: { additional_creators: [testUser('bob')] } });
    for (const name of ['bob', 'carol']) room.join(name);
    room.powerLevels('alice', {
      users: { [testUser('carol')]: Number.MAX_SAFE_INTEGER },
      ban: Number.MAX_SAFE_INTEGER,
    });
    assertAllowed(room, room.fork().ban('bob', 'carol'));
    assertRefused(room, room.fork().ban('carol', 'alice'), '5.6.3 not enough power for banning');
    assertRefused(room, room.fork().ban('bob', 'alice'), '5.6.3 not enough power for banning');
  });
});

function roomWithJoinRule(version: string, joinRule: string): RoomBuilder {
  const room = RoomBuilder.createPublic({ version });
  room.setState('alice', 'm.room.join_rules', { join_rule: joinRule });
  return room;
}
