import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomBuilder, testUser } from '../../testing/room-builder.ts';
import { type JsonObject, type JsonValue, parseJson, readObject } from '../json/index.ts';
import { ROOM_VERSIONS } from '../room-versions/index.ts';
import { checkAuth } from './check.ts';

/** In this room mod has 50 and may set power levels; user and other have 10, mod2 has 50. */
function room(version: string, content: JsonObject = {}): RoomBuilder {
  const builder = RoomBuilder.createPublic({ version });
  for (const name of ['mod', 'mod2', 'user', 'other']) builder.join(name);
  builder.powerLevels('alice', levels(builder, content));
  return builder;
}

function levels(builder: RoomBuilder, content: JsonObject, users: JsonObject = {}): JsonObject {
  const creator = builder.rules.privilegedCreators ? {} : { [testUser('alice')]: 100 };
  const ours = { [testUser('mod')]: 50, [testUser('mod2')]: 50, [testUser('user')]: 10, [testUser('other')]: 10 };
  return { ...content, users: { ...creator, ...ours, ...users } };
}

function without(object: JsonObject, ...keys: string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/** The rule by which new power levels are refused, or undefined where they are allowed. */
function refusalOf(builder: RoomBuilder, sender: string, content: JsonObject): string | undefined {
  const verdict = checkAuth(builder.fork().powerLevels(sender, content), builder.authState);
  return verdict.allowed ? undefined : verdict.rule;
}

for (const { id: version, integerPowerLevels, notificationsPowerLevels, privilegedCreators } of ROOM_VERSIONS) {
  const top = Number(version) >= 6 && version !== '12' ? 9 : 10;
  // What version 10 and 12 put before the rule on the first power levels.
  const first = 2 + (integerPowerLevels ? 2 : 0) + (privilegedCreators ? 1 : 0);

  describe(`power levels in room version ${version}`, () => {
    it('lets nobody set a level above the own, or lower one that is above it', () => {
      const builder = room(version, { ban: 60, kick: 40 });
      const rule = (step: number) => `${top}.${first + 1}.${step} changes a level beyond the own`;
      const set = (content: JsonObject) => refusalOf(builder, 'mod', levels(builder, content));
      assert.equal(set({ ban: 60, kick: 50 }), undefined);
      assert.equal(set({ ban: 60 }), undefined);
      assert.equal(set({ ban: 60, kick: 40, invite: 50 }), undefined);
      assert.equal(set({ ban: 60, kick: 51 }), rule(2));
      assert.equal(set({ ban: 60, kick: 40, redact: 51 }), rule(2));
      assert.equal(set({ ban: 50, kick: 40 }), rule(1));
      assert.equal(set({ kick: 40 }), rule(1));
      assert.equal(refusalOf(builder, 'alice', levels(builder, { ban: 100, kick: 100 })), undefined);
    });

    it('holds the levels of events to the same', () => {
      const builder = room(version, { events: { 'm.room.topic': 60, 'm.room.name': 40 } });
      const set = (events: JsonObject) => refusalOf(builder, 'mod', levels(builder, { events }));
      assert.equal(set({ 'm.room.topic': 60, 'm.room.name': 50, 'org.other': 50 }), undefined);
      assert.equal(set({ 'm.room.topic': 60 }), undefined);
      const current = `${top}.${first + 2}.1 changes a level of an event beyond the own`;
      assert.equal(set({ 'm.room.name': 40 }), current);
      assert.equal(set({ 'm.room.topic': 50, 'm.room.name': 40 }), current);
      const next = `${top}.${first + 3}.1 sets a level of an event beyond the own`;
      assert.equal(set({ 'm.room.topic': 60, 'm.room.name': 51 }), next);
      assert.equal(set({ 'm.room.topic': 60, 'm.room.name': 40, 'org.other': 51 }), next);
    });

    it(`${notificationsPowerLevels ? 'holds' : 'does not hold'} notifications to the same`, () => {
      const builder = room(version, { notifications: { room: 60 } });
      const set = (notifications: JsonObject) => refusalOf(builder, 'mod', levels(builder, { notifications }));
      assert.equal(set({ room: 60 }), undefined);
      const current = `${top}.${first + 2}.1 changes a level of an event beyond the own`;
      assert.equal(set({ room: 50 }), notificationsPowerLevels ? current : undefined);
      const next = `${top}.${first + 3}.1 sets a level of an event beyond the own`;
      assert.equal(set({ room: 60, other: 51 }), notificationsPowerLevels ? next : undefined);
    });

    it('lets users promote up to the own level, and demote those below and themselves', () => {
      const builder = room(version);
      const set = (users: JsonObject, ...gone: string[]) => {
        const content = levels(builder, {}, users);
        return refusalOf(builder, 'mod', { users: without(readObject(content, 'users') ?? {}, ...gone) });
      };
      assert.equal(set({ [testUser('user')]: 50 }), undefined);
      assert.equal(set({ [testUser('user')]: 0 }), undefined);
      assert.equal(set({}, testUser('user')), undefined);
      assert.equal(set({ [testUser('mod')]: 0 }), undefined);
      const above = `${top}.${first + 5}.1 sets a user above the own level`;
      assert.equal(set({ [testUser('user')]: 51 }), above);
      assert.equal(set({ [testUser('new')]: 51 }), above);
      assert.equal(set({ [testUser('mod')]: 51 }), above);
      const own = `${top}.${first + 4}.1 changes a user of the own level or above`;
      assert.equal(set({ [testUser('mod2')]: 49 }), own);
      assert.equal(set({}, testUser('mod2')), own);
      if (!privilegedCreators) assert.equal(set({}, testUser('alice')), own);
    });

    it('takes anything within form for the first power levels', () => {
      const builder = RoomBuilder.create({ version });
      builder.join('alice');
      assert.equal(refusalOf(builder, 'alice', { users: { [testUser('bob')]: 1000 }, ban: 1000 }), undefined);
    });

    it('refuses users that are not levels of users', () => {
      const builder = room(version);
      const rule = `${top}.${integerPowerLevels ? 3 : 1} users are not levels of users`;
      const wrong: JsonValue[] = [
        [],
        'users',
        5,
        null,
        { bob: 1 },
        { [testUser('bob')]: 'high' },
        { [testUser('bob')]: null },
      ];
      for (const users of wrong) assert.equal(refusalOf(builder, 'alice', { users }), rule);
      assert.equal(refusalOf(builder, 'alice', {}), undefined);
    });

    it(`${integerPowerLevels ? 'refuses' : 'takes'} integers in strings`, () => {
      const builder = room(version);
      for (const text of ['40', ' +040 ', '-40', '\t040\n']) {
        const users = levels(builder, {}, { [testUser('user')]: text });
        assert.equal(
          refusalOf(builder, 'mod', users),
          integerPowerLevels ? `${top}.3 users are not levels of users` : undefined,
        );
        const ban = integerPowerLevels ? `${top}.1 a level is not an integer` : undefined;
        assert.equal(refusalOf(builder, 'mod', levels(builder, { ban: text })), ban);
        const events = integerPowerLevels ? `${top}.2 events or notifications are not levels` : undefined;
        assert.equal(refusalOf(builder, 'mod', levels(builder, { events: { a: text } })), events);
      }
      for (const text of ['4.5', '', ' ', '+', '0x10', '1e3', '--1', '1_0']) {
        assert.notEqual(
          refusalOf(builder, 'alice', levels(builder, {}, { [testUser('user')]: text })),
          undefined,
          text,
        );
        assert.notEqual(refusalOf(builder, 'alice', levels(builder, { ban: text })), undefined, text);
      }
    });
  });
}

describe('power levels that differ between room versions', () => {
  it('cuts off floats until version 5', () => {
    for (const version of ['1', '5']) {
      const builder = room(version);
      assert.equal(refusalOf(builder, 'mod', levels(builder, {}, { [testUser('user')]: 50.9 })), undefined);
      assert.notEqual(refusalOf(builder, 'mod', levels(builder, {}, { [testUser('user')]: 51.1 })), undefined);
    }
  });

  it('refuses creators among the users in version 12', () => {
    const builder = RoomBuilder.createPublic({ version: '12', content: { additional_creators: [testUser('bob')] } });
    for (const name of ['alice', 'bob']) {
      assert.equal(refusalOf(builder, 'alice', { users: { [testUser(name)]: 100 } }), '10.4 users contain a creator');
    }
    assert.equal(refusalOf(builder, 'alice', { users: { [testUser('carol')]: 100 } }), undefined);
  });

  it('reads keys such as __proto__ as any other', () => {
    const builder = room('10');
    const events = parseJson('{"__proto__": 60, "constructor": 40}');
    assert.equal(
      refusalOf(builder, 'mod', levels(builder, { events })),
      '9.7.1 sets a level of an event beyond the own',
    );
  });
});
