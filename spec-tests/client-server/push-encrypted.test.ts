/** A push rule for every encrypted event. MSC4028 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, join, say, send, V3 } from './helpers.ts';

const FLAG = 'org.matrix.msc4028';
const RULE = '.org.matrix.msc4028.encrypted_event';
const ENCRYPTED = { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x', sender_key: 'k', session_id: 's' };

const flagsOf = async (hs: TestServer) =>
  (await hs.request('GET', '/_matrix/client/versions')).body.unstable_features as Record<string, boolean>;
const overrides = async (user: TestUser): Promise<readonly string[]> =>
  (await user.request('GET', `${V3}/pushrules/global/`)).body.override.map((rule: { rule_id: string }) => rule.rule_id);
const unread = async (user: TestUser, roomId: string) =>
  (await user.request('GET', `${V3}/sync`)).body.rooms.join[roomId].unread_notifications;
const put = (user: TestUser, kind: string, ruleId: string, body: object) =>
  user.request('PUT', `${V3}/pushrules/global/${kind}/${encodeURIComponent(ruleId)}`, body);

describe('the rule for every encrypted event', () => {
  let hs: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  let roomId: string;
  before(async () => {
    hs = await TestServer.start({ inProcess: true, config: { push: { encrypted_events: true } } });
    alice = await hs.register('alice');
    bob = await hs.register('bob');
    roomId = await createRoom(alice);
    await join(bob, roomId);
  });
  after(() => hs[Symbol.asyncDispose]());

  it('is there and announced only where it is configured', async () => {
    assert.equal((await flagsOf(hs))[FLAG], true);
    await put(bob, 'override', 'own', {
      actions: [],
      conditions: [{ kind: 'event_match', key: 'type', pattern: 'no' }],
    });
    assert.deepEqual((await overrides(bob)).slice(0, 4), ['.m.rule.master', 'own', RULE, '.m.rule.suppress_notices']);
    await using plain = await TestServer.start({ inProcess: true });
    assert.equal((await flagsOf(plain))[FLAG], false);
    assert.ok(!(await overrides(await plain.register('carol'))).includes(RULE));
  });

  it('notifies in a room that is set to mentions only, of encrypted messages alone', async () => {
    const carol = await hs.register('carol');
    await join(carol, roomId);
    await put(carol, 'room', roomId, { actions: [] });
    await say(alice, roomId, 'plain');
    assert.deepEqual(await unread(carol, roomId), { notification_count: 0, highlight_count: 0 });
    await send(alice, roomId, 'm.room.encrypted', ENCRYPTED);
    assert.deepEqual(await unread(carol, roomId), { notification_count: 1, highlight_count: 0 });
  });

  it('goes before the rule that suppresses edits, for those without own rules too', async () => {
    const dora = await hs.register('dora');
    await join(dora, roomId);
    const target = await send(alice, roomId, 'm.room.encrypted', ENCRYPTED);
    const relation = { rel_type: 'm.replace', event_id: target };
    await send(alice, roomId, 'm.room.encrypted', { ...ENCRYPTED, 'm.relates_to': relation });
    assert.deepEqual(await unread(dora, roomId), { notification_count: 2, highlight_count: 0 });
  });

  it('leaves a room alone that is muted, and whoever switches it off', async () => {
    const eve = await hs.register('eve');
    const muted = await createRoom(alice);
    for (const room of [roomId, muted]) await join(eve, room);
    const conditions = [{ kind: 'event_match', key: 'room_id', pattern: muted }];
    await put(eve, 'override', muted, { actions: [], conditions });
    await send(alice, muted, 'm.room.encrypted', ENCRYPTED);
    assert.equal((await unread(eve, muted)).notification_count, 0);
    await put(eve, 'room', roomId, { actions: [] });
    const target = `${V3}/pushrules/global/override/${encodeURIComponent(RULE)}/enabled`;
    assert.equal((await eve.request('PUT', target, { enabled: false })).status, 200);
    await send(alice, roomId, 'm.room.encrypted', ENCRYPTED);
    assert.equal((await unread(eve, roomId)).notification_count, 0);
  });
});
