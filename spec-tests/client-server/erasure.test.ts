/** Deactivation with `erase`: who wasn't there sees nothing of what the user said. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Network, network } from '../../src/testing/network.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, eventually, join, say, V3 } from './helpers.ts';

const e = encodeURIComponent;

describe('the messages of an erased user', () => {
  let net: Network;
  let witness: TestUser;
  let later: TestUser;
  let far: TestUser;
  let room: string;
  let said: string;
  let plain: string;

  before(async () => {
    net = await network(2);
    const [one, two] = net.servers;
    assert(one !== undefined && two !== undefined);
    const gone = await one.server.register('gone');
    const kept = await one.server.register('kept');
    witness = await one.server.register('witness');
    room = await createRoom(witness, { name: 'Past' });
    await join(gone, room);
    await join(kept, room);
    plain = await say(kept, room, 'plain');
    said = await say(gone, room, 'private matters');
    await gone.request('PUT', `${V3}/rooms/${e(room)}/send/m.room.message/edit`, {
      msgtype: 'm.text',
      body: '* private things',
      'm.new_content': { msgtype: 'm.text', body: 'private things' },
      'm.relates_to': { rel_type: 'm.replace', event_id: said },
    });
    const identifier = { type: 'm.id.user', user: 'gone' };
    const auth = { type: 'm.login.password', identifier, password: 'password-gone' };
    const done = await gone.request('POST', `${V3}/account/deactivate`, { erase: true, auth });
    assert.equal(done.status, 200, done.bytes.toString());
    assert.equal((await gone.request('GET', `${V3}/account/whoami`)).status, 401, 'the account is gone');
    await one.server.restart();
    later = await one.server.register('later');
    await join(later, room);
    far = await two.server.register('far');
    const joined = await far.request('POST', `${V3}/join/${e(room)}?via=${one.name}`, {});
    assert.equal(joined.status, 200, joined.bytes.toString());
  });
  after(() => net[Symbol.asyncDispose]());

  type Shown = { event_id: string; sender: string; type: string; content: { body?: string; displayname?: string } };

  async function history(user: TestUser): Promise<readonly Shown[]> {
    const page = await user.request('GET', `${V3}/rooms/${e(room)}/messages?dir=b&limit=100`);
    assert.equal(page.status, 200);
    return page.body.chunk;
  }
  const private_ = (value: unknown) => /private/.test(JSON.stringify(value));

  it('stay as they were for who was in the room', async () => {
    const shown = await history(witness);
    assert.ok(private_(shown));
    const one = await witness.request('GET', `${V3}/rooms/${e(room)}/event/${e(said)}`);
    assert.match(JSON.stringify(one.body), /private/);
  });

  it('are redacted for who came later, wherever they look, and the others are not', async () => {
    const shown = await history(later);
    assert.ok(shown.some((event) => event.event_id === said && Object.keys(event.content).length === 0));
    assert.ok(shown.some((event) => event.event_id === plain && event.content.body === 'plain'));
    assert.equal(private_(shown), false);
    for (const path of [
      `event/${e(said)}`,
      `context/${e(said)}`,
      `context/${e(plain)}?limit=50`,
      `relations/${e(said)}`,
    ]) {
      const version = path.startsWith('relations') ? '/_matrix/client/v1' : V3;
      const answer = await later.request('GET', `${version}/rooms/${e(room)}/${path}`);
      assert.equal(answer.status, 200, path);
      assert.equal(private_(answer.body), false, path);
    }
    const sync = await later.request('GET', `${V3}/sync?filter=${e('{"room":{"timeline":{"limit":50}}}')}`);
    assert.equal(private_(sync.body), false);
    const { timeline } = sync.body.rooms.join[room];
    assert.ok(timeline.events.some((one: Shown) => one.type === 'm.room.name'));
  });

  it('are redacted for servers that came later', async () => {
    await eventually(async () => {
      const shown = await history(far);
      assert.ok(shown.some((event) => event.event_id === plain));
      assert.equal(private_(shown), false);
    });
  });
});
