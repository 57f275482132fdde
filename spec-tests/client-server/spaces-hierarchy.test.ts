/** Walking through spaces. Spec: client-server-api/#discovering-rooms-within-spaces */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { TestServer } from '../../src/testing/test-server.ts';
import { type RoomUser, startWithUsers } from './room-user.ts';

const V1 = '/_matrix/client/v1';

interface SpaceRoom {
  readonly room_id: string;
  readonly children_state: readonly { readonly state_key: string; readonly origin_server_ts?: number }[];
}

describe('/hierarchy', () => {
  let server: TestServer;
  let alice: RoomUser;
  let bob: RoomUser;

  before(async () => {
    ({ server, alice, bob } = await startWithUsers());
  });
  after(() => server[Symbol.asyncDispose]());

  const createSpace = (options: object = {}) => alice.createRoom({ creation_content: { type: 'm.space' }, ...options });
  const addChild = (space: string, child: string, content: object = {}) =>
    alice.setState(space, 'm.space.child', { via: ['example.org'], ...content }, child);
  const hierarchy = (user: RoomUser, space: string, query = ''): Promise<{ rooms: SpaceRoom[]; next_batch?: string }> =>
    user.ok('GET', `${V1}/rooms/${space}/hierarchy?${query}`);
  const idsOf = ({ rooms }: { readonly rooms: readonly SpaceRoom[] }) => rooms.map(({ room_id: id }) => id);
  const invited = (rule: string, allow?: object) => ({
    preset: 'private_chat',
    initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: rule, ...allow } }],
  });

  it('shows a space and what is in it, depth first', async () => {
    const space = await createSpace({ name: 'Space', topic: 'All of it', room_alias_name: 'space' });
    const inner = await createSpace({ name: 'Inner' });
    const [one, two, three] = [
      await alice.createRoom({ name: 'one' }),
      await alice.createRoom(),
      await alice.createRoom(),
    ];
    await addChild(space, one, { order: 'a' });
    await addChild(space, inner, { order: 'b' });
    await addChild(space, three, { order: 'c' });
    await addChild(inner, two);
    const page = await hierarchy(bob, space);
    assert.deepEqual(idsOf(page), [space, one, inner, two, three]);
    assert.equal(page.next_batch, undefined);
    const [first, second] = page.rooms;
    const { children_state: children, ...shown } = first ?? { children_state: [] };
    assert.deepEqual(shown, {
      room_id: space,
      name: 'Space',
      topic: 'All of it',
      canonical_alias: '#space:example.org',
      num_joined_members: 1,
      world_readable: false,
      guest_can_join: false,
      join_rule: 'public',
      room_type: 'm.space',
      room_version: '12',
    });
    assert.deepEqual(
      children.map(({ state_key: id }) => id),
      [one, inner, three],
    );
    const { origin_server_ts: ts, ...child } = children[0] ?? {};
    assert.equal(typeof ts, 'number');
    assert.deepEqual(child, {
      type: 'm.space.child',
      state_key: one,
      content: { via: ['example.org'], order: 'a' },
      sender: alice.userId,
    });
    assert.deepEqual(second?.children_state, []);
  });

  it('orders children by `order`, then by their time', async () => {
    const space = await createSpace();
    const rooms: string[] = [];
    for (let index = 0; index < 5; index++) rooms.push(await alice.createRoom());
    const [a = '', b = '', c = '', d = '', e = ''] = rooms;
    await addChild(space, e);
    await addChild(space, d, { order: 'much too long '.repeat(5) });
    await addChild(space, c, { order: 'first' });
    await addChild(space, a, { order: 'aaaa' });
    await addChild(space, b, { order: ' ' });
    assert.deepEqual(idsOf(await hierarchy(alice, space)), [space, b, a, c, e, d]);
  });

  it('leaves out children without `via`, and rooms that claim children without being spaces', async () => {
    const space = await createSpace();
    const [kept, gone, ofRoom] = [await alice.createRoom(), await alice.createRoom(), await alice.createRoom()];
    await addChild(space, kept);
    await addChild(space, gone);
    await alice.setState(space, 'm.space.child', {}, gone);
    await alice.setState(space, 'm.space.child', { via: 'example.org' }, ofRoom);
    await alice.setState(space, 'm.space.child', { via: ['example.org'] }, 'no room id');
    await addChild(kept, ofRoom);
    const page = await hierarchy(alice, space);
    assert.deepEqual(idsOf(page), [space, kept]);
    assert.equal(page.rooms[0]?.children_state.length, 1);
    assert.deepEqual(page.rooms[1]?.children_state, []);
  });

  it('shows suggested rooms only, where that is asked for', async () => {
    const space = await createSpace();
    const [suggested, other] = [await alice.createRoom(), await alice.createRoom()];
    await addChild(space, suggested, { suggested: true });
    await addChild(space, other);
    assert.deepEqual(idsOf(await hierarchy(bob, space, 'suggested_only=true')), [space, suggested]);
    assert.deepEqual(idsOf(await hierarchy(bob, space, 'suggested_only=false')), [space, suggested, other]);
  });

  it('goes no deeper than is asked for, and survives loops', async () => {
    const [space, inner] = [await createSpace(), await createSpace()];
    const [one, two] = [await alice.createRoom(), await alice.createRoom()];
    await addChild(space, one, { order: '1' });
    await addChild(space, inner, { order: '2' });
    await addChild(inner, space);
    await addChild(inner, one);
    await addChild(inner, two);
    assert.deepEqual(idsOf(await hierarchy(bob, space)), [space, one, inner, two]);
    const shallow = await hierarchy(bob, space, 'max_depth=1');
    assert.deepEqual(idsOf(shallow), [space, one, inner]);
    assert.equal(shallow.rooms[2]?.children_state.length, 3, 'it is told what would follow');
    assert.deepEqual(idsOf(await hierarchy(bob, space, 'max_depth=0')), [space]);
  });

  it('pages, each room once', async () => {
    const space = await createSpace();
    const rooms: string[] = [];
    for (let index = 0; index < 6; index++) {
      const room = await alice.createRoom(index === 2 ? invited('invite') : {});
      await addChild(space, room, { order: `${index}` });
      if (index !== 2) rooms.push(room);
    }
    const read: string[] = [];
    let from = '';
    let pages = 0;
    for (; pages < 5; pages++) {
      const page = await hierarchy(bob, space, `limit=2&max_depth=3${from}`);
      read.push(...idsOf(page));
      if (page.next_batch === undefined) break;
      from = `&from=${page.next_batch}`;
    }
    assert.deepEqual(read, [space, ...rooms]);
    assert.equal(pages, 2);
    const path = `${V1}/rooms/${space}/hierarchy`;
    for (const query of [`limit=2&max_depth=2${from}`, `max_depth=3&suggested_only=true${from}`, 'from=nonsense']) {
      assert.deepEqual(await bob.refused('GET', `${path}?${query}`), [400, 'M_INVALID_PARAM'], query);
    }
    for (const query of ['limit=0', 'max_depth=-1', 'suggested_only=1', 'limit=x']) {
      assert.equal((await bob.refused('GET', `${path}?${query}`))[0], 400, query);
    }
  });

  it('shows the rooms that the user may come into, look into or knock at, and no others', async () => {
    const club = await alice.createRoom(invited('invite'));
    const space = await createSpace();
    const allow = { allow: [{ type: 'm.room_membership', room_id: club }] };
    const rooms = {
      private: await alice.createRoom(invited('invite')),
      invitedTo: await alice.createRoom({ ...invited('invite'), invite: [bob.userId] }),
      knock: await alice.createRoom(invited('knock')),
      knockRestricted: await alice.createRoom(invited('knock_restricted', allow)),
      restricted: await alice.createRoom(invited('restricted', allow)),
      oldRestricted: await alice.createRoom({ ...invited('restricted', allow), room_version: '7' }),
      worldReadable: await alice.createRoom({
        preset: 'private_chat',
        initial_state: [
          { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'world_readable' } },
        ],
      }),
      banned: await alice.createRoom(),
    };
    await alice.ok('POST', `/_matrix/client/v3/rooms/${rooms.banned}/ban`, { user_id: bob.userId });
    for (const [name, room] of Object.entries(rooms)) await addChild(space, room, { order: name });
    const seen = async (user: RoomUser) => {
      const ids = new Set(idsOf(await hierarchy(user, space)));
      return Object.entries(rooms)
        .filter(([, room]) => ids.has(room))
        .map(([name]) => name);
    };
    assert.equal((await seen(alice)).length, Object.keys(rooms).length);
    assert.deepEqual(await seen(bob), ['invitedTo', 'knock', 'knockRestricted', 'worldReadable']);
    await alice.ok('POST', `/_matrix/client/v3/rooms/${club}/invite`, { user_id: bob.userId });
    await bob.join(club);
    assert.deepEqual(await seen(bob), ['invitedTo', 'knock', 'knockRestricted', 'restricted', 'worldReadable']);
    const page = await hierarchy(bob, space);
    const restricted = page.rooms.find(({ room_id: id }) => id === rooms.restricted);
    assert.deepEqual(restricted && 'allowed_room_ids' in restricted && restricted.allowed_room_ids, [club]);
  });

  it('is refused for rooms that are not there or not for the user', async () => {
    const secret = await createSpace(invited('invite'));
    for (const room of [secret, '!nowhere:example.org']) {
      assert.deepEqual(await bob.refused('GET', `${V1}/rooms/${room}/hierarchy`), [403, 'M_FORBIDDEN']);
    }
    const space = await createSpace();
    await addChild(space, '!unknown:elsewhere.example', { via: ['elsewhere.example'] });
    assert.deepEqual(idsOf(await hierarchy(bob, space)), [space]);
  });
});
