import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RoomBuilder, TEST_SIGNING_KEY, testUser } from '../../testing/room-builder.ts';
import { generateSigningKey, signJson } from '../crypto/index.ts';
import { parseServerName } from '../ids/index.ts';
import type { JsonObject } from '../json/index.ts';
import { ROOM_VERSIONS } from '../room-versions/index.ts';
import { checkAuth } from './check.ts';
import { selectAuthEvents } from './selection.ts';

const IDENTITY_SERVER = parseServerName('identity.example.org');
const OTHER_KEY = generateSigningKey('other', new Uint8Array(32).fill(9));

function signed(content: JsonObject, key = TEST_SIGNING_KEY): JsonObject {
  assert.ok(IDENTITY_SERVER);
  return signJson(content, IDENTITY_SERVER, key);
}

function room(content: JsonObject): RoomBuilder {
  const builder = RoomBuilder.createPublic({ version: '10' });
  builder.setState('alice', 'm.room.third_party_invite', content, 'token');
  return builder;
}

/** The rule that refuses the invitation, or undefined. */
function refusalOf(builder: RoomBuilder, thirdPartyInvite: JsonObject[string], sender = 'alice'): string | undefined {
  const event = builder.fork().member(sender, 'bob', 'invite', { third_party_invite: thirdPartyInvite });
  const verdict = checkAuth(event, builder.authState);
  return verdict.allowed ? undefined : verdict.rule;
}

describe('redeeming a third-party invite', () => {
  const good = signed({ mxid: testUser('bob'), token: 'token' });
  const { publicKey } = TEST_SIGNING_KEY;

  it('takes a signature by the single key or one of several', () => {
    assert.equal(refusalOf(room({ public_key: publicKey }), { signed: good }), undefined);
    const keys = [{ public_key: OTHER_KEY.publicKey }, { public_key: publicKey }];
    assert.equal(refusalOf(room({ public_keys: keys }), { signed: good }), undefined);
    assert.equal(refusalOf(room({ public_key: OTHER_KEY.publicKey, public_keys: keys }), { signed: good }), undefined);
  });

  for (const { id } of ROOM_VERSIONS) {
    it(`takes a good signature and no other in room version ${id}`, () => {
      const builder = RoomBuilder.createPublic({ version: id });
      builder.setState('alice', 'm.room.third_party_invite', { public_key: publicKey }, 'token');
      assert.equal(refusalOf(builder, { signed: good }), undefined);
      const forged = signed({ mxid: testUser('bob'), token: 'token' }, OTHER_KEY);
      assert.match(refusalOf(builder, { signed: forged }) ?? '', /no valid signature$/);
      const invite = builder.fork().member('alice', 'bob', 'invite', { third_party_invite: { signed: good } });
      const authTypes = selectAuthEvents(invite, invite.rules).map(([type, key]) => `${type} ${key}`);
      assert.ok(authTypes.includes('m.room.third_party_invite token'));
    });
  }

  it('allows it although the sender has left', () => {
    const builder = room({ public_key: publicKey });
    builder.leave('alice');
    assert.equal(refusalOf(builder, { signed: good }), undefined);
  });

  it('refuses signatures that are not valid', () => {
    const rule = '4.4.1.8 no valid signature';
    assert.equal(refusalOf(room({ public_key: OTHER_KEY.publicKey }), { signed: good }), rule);
    assert.equal(refusalOf(room({}), { signed: good }), rule);
    assert.equal(refusalOf(room({ public_key: publicKey }), { signed: { ...good, extra: 1 } }), rule);
    assert.equal(
      refusalOf(room({ public_key: publicKey }), { signed: { ...good, signatures: { a: { b: 'c' }, d: 5 } } }),
      rule,
    );
  });

  it('refuses what is not signed, or not for this', () => {
    const builder = room({ public_key: publicKey });
    const notSigned = '4.4.1.2 third-party invite is not signed';
    for (const invite of [{}, 'invite', { signed: 5 }]) assert.equal(refusalOf(builder, invite), notSigned);
    const incomplete = '4.4.1.3 signed has no mxid or no token';
    assert.equal(refusalOf(builder, { signed: signed({ token: 'token' }) }), incomplete);
    assert.equal(refusalOf(builder, { signed: signed({ mxid: testUser('bob') }) }), incomplete);
    const other = signed({ mxid: testUser('eve'), token: 'token' });
    assert.equal(refusalOf(builder, { signed: other }), '4.4.1.4 signed for another user');
    const unknown = signed({ mxid: testUser('bob'), token: 'unknown' });
    assert.equal(refusalOf(builder, { signed: unknown }), '4.4.1.5 no m.room.third_party_invite with this token');
    assert.equal(refusalOf(builder, { signed: good }, 'eve'), '4.4.1.6 third-party invite is of another sender');
  });

  it('refuses a banned user', () => {
    const builder = room({ public_key: publicKey });
    builder.ban('alice', 'bob');
    assert.equal(refusalOf(builder, { signed: good }), '4.4.1.1 invited user is banned');
  });

  it('gives up on heaps of signatures and keys', () => {
    const keys = Array.from({ length: 65 }, (_, index) => ({
      public_key: generateSigningKey('k', new Uint8Array(32).fill(index + 20)).publicKey,
    }));
    const builder = room({ public_keys: [...keys, { public_key: publicKey }] });
    assert.equal(refusalOf(builder, { signed: good }), '4.4.1.8 no valid signature');
  });
});
