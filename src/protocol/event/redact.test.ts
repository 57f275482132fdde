/** The redaction algorithm of every room version. Spec: rooms/v1/#redactions and its changes in versions 6, 8, 9 and 11 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { JsonObject, JsonValue } from '../json/index.ts';
import { ROOM_VERSIONS } from '../room-versions/index.ts';
import { redactContent, redactPdu } from './index.ts';

/** Kept keys of the content by type, from the version on until the next one that is named. */
const KEPT: Readonly<Record<string, Readonly<Record<number, readonly string[] | 'all'>>>> = {
  'm.room.member': {
    1: ['membership'],
    9: ['membership', 'join_authorised_via_users_server'],
    11: ['membership', 'join_authorised_via_users_server', 'third_party_invite'],
  },
  'm.room.create': { 1: ['creator'], 11: 'all' },
  'm.room.join_rules': { 1: ['join_rule'], 8: ['join_rule', 'allow'] },
  'm.room.power_levels': {
    1: ['ban', 'events', 'events_default', 'kick', 'redact', 'state_default', 'users', 'users_default'],
    11: ['ban', 'events', 'events_default', 'invite', 'kick', 'redact', 'state_default', 'users', 'users_default'],
  },
  'm.room.aliases': { 1: ['aliases'], 6: [] },
  'm.room.history_visibility': { 1: ['history_visibility'] },
  'm.room.redaction': { 1: [], 11: ['redacts'] },
  'm.room.message': { 1: [] },
  'm.room.name': { 1: [] },
  'm.room.third_party_invite': { 1: [] },
};

const ALL_KEYS = [
  ...['membership', 'join_authorised_via_users_server', 'displayname', 'creator', 'room_version', 'join_rule', 'allow'],
  ...['ban', 'events', 'events_default', 'invite', 'kick', 'redact', 'state_default', 'users', 'users_default'],
  ...['notifications', 'aliases', 'history_visibility', 'redacts', 'reason', 'body', 'name', 'public_key'],
];
const CONTENT: JsonObject = {
  ...Object.fromEntries(ALL_KEYS.map((key) => [key, `value of ${key}`])),
  third_party_invite: { display_name: 'x', signed: { token: 't' } },
};

const TOP_LEVEL = [
  ...['auth_events', 'content', 'depth', 'event_id', 'hashes', 'origin_server_ts', 'prev_events', 'room_id'],
  ...['sender', 'signatures', 'state_key', 'type'],
];
const ONLY_BEFORE_V11 = ['membership', 'origin', 'prev_state'];
const NEVER = ['unsigned', 'redacts', 'age_ts', 'org.example.extra', 'replaces_state'];

function keptIn(version: number, type: string): readonly string[] | 'all' {
  const byVersion = KEPT[type] ?? {};
  const since = Object.keys(byVersion)
    .map(Number)
    .filter((first) => first <= version);
  return byVersion[Math.max(...since)] ?? [];
}

describe('redaction', () => {
  for (const [index, rules] of ROOM_VERSIONS.entries()) {
    const version = index + 1;

    it(`keeps the top-level keys of version ${version}`, () => {
      const pdu = Object.fromEntries([...TOP_LEVEL, ...ONLY_BEFORE_V11, ...NEVER].map((key) => [key, key]));
      const redacted = redactPdu({ ...pdu, content: {}, type: 'x' }, rules);
      const expected = version < 11 ? [...TOP_LEVEL, ...ONLY_BEFORE_V11] : TOP_LEVEL;
      assert.deepEqual(Object.keys(redacted).sort(), [...expected].sort());
    });

    for (const type of Object.keys(KEPT)) {
      it(`keeps of ${type} what version ${version} names`, () => {
        const kept = keptIn(version, type);
        const redacted = redactContent(type, CONTENT, rules);
        const expected = kept === 'all' ? Object.keys(CONTENT) : kept;
        assert.deepEqual(Object.keys(redacted).sort(), [...expected].sort());
        for (const key of expected.filter((one) => one !== 'third_party_invite'))
          assert.equal(redacted[key], CONTENT[key]);
      });
    }

    it(`changes nothing the second time (version ${version})`, () => {
      const value = fc.jsonValue() as fc.Arbitrary<JsonValue>;
      const content = fc.dictionary(fc.constantFrom(...ALL_KEYS, 'third_party_invite'), value);
      fc.assert(
        fc.property(fc.constantFrom(...Object.keys(KEPT)), content, (type, anyContent) => {
          const once = redactPdu({ type, content: anyContent, sender: '@a:x', unsigned: {} }, rules);
          assert.deepEqual(redactPdu(once, rules), once);
        }),
        { numRuns: 30 },
      );
    });
  }

  it("keeps only what is signed of a third party's invite, since version 11", () => {
    const [v11] = ROOM_VERSIONS.slice(10);
    assert.ok(v11);
    const redact = (invite: JsonValue) => redactContent('m.room.member', { third_party_invite: invite }, v11);
    assert.deepEqual(redact({ display_name: 'x', signed: { token: 't' } }), {
      third_party_invite: { signed: { token: 't' } },
    });
    assert.deepEqual(redact({ display_name: 'x' }), { third_party_invite: {} });
    assert.deepEqual(redact('not an object'), {});
  });
});
