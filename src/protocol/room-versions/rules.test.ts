import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS, type RoomVersionRules, roomVersionRules } from './index.ts';

/** The versions in which a rule is on: first to last. */
const ON: Readonly<Record<string, readonly [first: number, last: number]>> = {
  strictCanonicalJson: [6, 12],
  keyValidity: [5, 12],
  aliasesAuth: [1, 5],
  notificationsPowerLevels: [6, 12],
  redactionAuthRule: [1, 2],
  knocking: [7, 12],
  restricted: [8, 12],
  restrictedMembershipKept: [9, 12],
  knockRestricted: [10, 12],
  integerPowerLevels: [10, 12],
  redactsInContent: [11, 12],
  updatedRedaction: [11, 12],
  creatorFromSender: [11, 12],
  createEventIsRoomId: [12, 12],
  privilegedCreators: [12, 12],
};

describe('the table of room versions', () => {
  it('has versions 1 to 12 and makes 12 the default', () => {
    assert.deepEqual(
      ROOM_VERSIONS.map((rules) => rules.id),
      ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12'],
    );
    assert.equal(DEFAULT_ROOM_VERSION, '12');
  });

  it('knows no other', () => {
    for (const id of ['', '0', '13', '01', 'org.example.x', 'constructor'])
      assert.equal(roomVersionRules(id), undefined);
  });

  it('switches each rule in its version', () => {
    for (const [index, rules] of ROOM_VERSIONS.entries()) {
      for (const [rule, [first, last]] of Object.entries(ON)) {
        const version = index + 1;
        assert.equal(
          rules[rule as keyof RoomVersionRules],
          version >= first && version <= last,
          `${rule} in ${version}`,
        );
      }
    }
  });

  it('leaves no rule out of this test', () => {
    const booleans = Object.entries(ROOM_VERSIONS[0] ?? {}).filter(
      ([name, value]) => typeof value === 'boolean' && name !== 'stable',
    );
    assert.deepEqual(booleans.map(([name]) => name).sort(), Object.keys(ON).sort());
  });

  it('names how events get their ids and how state is resolved', () => {
    const eventIds = ROOM_VERSIONS.map((rules) => rules.eventIds);
    assert.deepEqual(eventIds.slice(0, 4), ['in-event', 'in-event', 'hash-base64', 'hash-urlsafe']);
    assert.ok(eventIds.slice(4).every((form) => form === 'hash-urlsafe'));
    const resolutions = ROOM_VERSIONS.map((rules) => rules.stateResolution);
    assert.deepEqual(resolutions, ['v1', ...Array(10).fill('v2'), 'v2.1']);
  });
});
