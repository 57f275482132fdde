import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const V3 = '/_matrix/client/v3';

describe('what users keep with us', () => {
  let server: TestServer;
  let alice: TestUser;
  let bob: TestUser;
  before(async () => {
    server = await TestServer.start({
      inProcess: true,
      config: {
        server: { public_url: 'https://matrix.example.org/' },
        well_known: {
          client: { 'org.example.x': 1 },
          server: 'matrix.example.org:443',
          support: { page: 'https://example.org/help' },
        },
      },
    });
    alice = await server.register('alice');
    bob = await server.register('bob');
  });
  after(() => server[Symbol.asyncDispose]());

  describe('profiles', () => {
    const of = (user: TestUser, key = '') => `${V3}/profile/${user.userId}${key && `/${key}`}`;
    const put = (key: string, value: unknown) => alice.request('PUT', of(alice, key), { [key]: value });

    it('begin with the name, take fields of any name and give them back to anybody', async () => {
      assert.equal((await put('avatar_url', 'mxc://example.org/cat')).status, 200);
      assert.equal((await put('m.tz', 'Europe/London')).status, 200);
      assert.equal((await put('org.example.pets', [{ cats: 2.5 }, null])).status, 200);
      const profile = await server.request('GET', of(alice));
      assert.deepEqual(profile.body, {
        displayname: 'alice',
        avatar_url: 'mxc://example.org/cat',
        'm.tz': 'Europe/London',
        'org.example.pets': [{ cats: 2.5 }, null],
      });
      assert.deepEqual((await server.request('GET', of(alice, 'm.tz'))).body, { 'm.tz': 'Europe/London' });
      assert.equal((await alice.request('DELETE', of(alice, 'm.tz'))).status, 200);
      assert.equal((await alice.request('DELETE', of(alice, 'm.tz'))).status, 200);
      assert.equal((await server.request('GET', of(alice, 'm.tz'))).status, 404);
    });

    it('belong to their users', async () => {
      const refused = await bob.request('PUT', of(alice, 'displayname'), { displayname: 'Mallory' });
      assert.deepEqual([refused.status, refused.body.errcode], [403, 'M_FORBIDDEN']);
      assert.equal((await bob.request('DELETE', of(alice, 'displayname'))).status, 403);
      assert.equal((await server.request('GET', `${V3}/profile/@nobody:example.org`)).status, 404);
      assert.equal((await server.request('GET', `${V3}/profile/nobody`)).body.errcode, 'M_INVALID_PARAM');
    });

    it('refuse wrong values, wrong keys, and what is too large', async () => {
      const errors: [string, unknown, string][] = [
        ['displayname', 5, 'M_BAD_JSON'],
        ['displayname', null, 'M_BAD_JSON'],
        ['displayname', 'x'.repeat(257), 'M_INVALID_PARAM'],
        ['avatar_url', 'https://example.org/cat', 'M_INVALID_PARAM'],
        ['Upper.Case', 1, 'M_INVALID_PARAM'],
        [`a.${'b'.repeat(254)}`, 1, 'M_KEY_TOO_LARGE'],
        ['org.example.big', 'x'.repeat(65_536), 'M_PROFILE_TOO_LARGE'],
      ];
      for (const [key, value, errcode] of errors) {
        const refused = await put(key, value);
        assert.deepEqual([refused.status, refused.body.errcode], [400, errcode], key);
      }
      const other = await alice.request('PUT', of(alice, 'displayname'), { other: 1 });
      assert.equal(other.body.errcode, 'M_MISSING_PARAM');
    });
  });

  describe('account data', () => {
    const target = (type: string, room = '') =>
      `${V3}/user/${alice.userId}${room && `/rooms/${room}`}/account_data/${type}`;

    it('is kept for all rooms and for each, apart', async () => {
      assert.equal((await alice.request('GET', target('x.y'))).status, 404);
      await alice.request('PUT', target('x.y'), { a: 1.5 });
      await alice.request('PUT', target('x.y', '!r:example.org'), { b: 2 });
      assert.deepEqual((await alice.request('GET', target('x.y'))).body, { a: 1.5 });
      assert.deepEqual((await alice.request('GET', target('x.y', '!r:example.org'))).body, { b: 2 });
      await alice.request('PUT', target('x.y'), {});
      assert.deepEqual((await alice.request('GET', target('x.y'))).body, {});
    });

    it("is nobody else's, and not always the user's to write", async () => {
      assert.equal((await bob.request('GET', target('x.y'))).status, 403);
      assert.equal((await bob.request('PUT', target('x.y'), {})).status, 403);
      for (const type of ['m.fully_read', 'm.push_rules']) {
        const refused = await alice.request('PUT', target(type, '!r:example.org'), {});
        assert.deepEqual([refused.status, refused.body.errcode], [405, 'M_BAD_JSON']);
      }
      assert.equal((await alice.request('PUT', target('x.y', 'room'), {})).body.errcode, 'M_INVALID_PARAM');
      assert.equal((await alice.request('PUT', target('x.y'), [])).body.errcode, 'M_BAD_JSON');
    });

    it('holds the tags of rooms', async () => {
      const tags = `${V3}/user/${alice.userId}/rooms/!t:example.org/tags`;
      await Promise.all([
        alice.request('PUT', `${tags}/m.favourite`, { order: 0.5 }),
        alice.request('PUT', `${tags}/u.Work`, {}),
      ]);
      assert.deepEqual((await alice.request('GET', tags)).body, {
        tags: { 'm.favourite': { order: 0.5 }, 'u.Work': {} },
      });
      assert.equal((await alice.request('DELETE', `${tags}/u.Work`)).status, 200);
      assert.deepEqual((await alice.request('GET', target('m.tag', '!t:example.org'))).body, {
        tags: { 'm.favourite': { order: 0.5 } },
      });
      assert.equal((await alice.request('PUT', `${tags}/x`, { order: 'first' })).body.errcode, 'M_BAD_JSON');
    });
  });

  describe('filters', () => {
    const target = () => `${V3}/user/${alice.userId}/filter`;

    it('are given back as they were, unknown keys included; the same one has the same id', async () => {
      const filter = { room: { timeline: { limit: 10, 'x.y': true } }, event_fields: ['type'] };
      const made = await alice.request('POST', target(), filter);
      assert.equal(typeof made.body.filter_id, 'string');
      assert.deepEqual((await alice.request('GET', `${target()}/${made.body.filter_id}`)).body, filter);
      assert.equal((await alice.request('POST', target(), filter)).body.filter_id, made.body.filter_id);
      const other = await alice.request('POST', target(), {});
      assert.notEqual(other.body.filter_id, made.body.filter_id);
    });

    it('are refused where they are none, and not found where nobody made them', async () => {
      const bad = await alice.request('POST', target(), { room: { timeline: { senders: ['x'] } } });
      assert.deepEqual([bad.status, bad.body.errcode], [400, 'M_BAD_JSON']);
      for (const id of ['99', 'x', '-1', '1e3'])
        assert.equal((await alice.request('GET', `${target()}/${id}`)).status, 404);
      assert.equal((await bob.request('POST', target(), {})).status, 403);
    });
  });

  it('tells what it can do', async () => {
    const { versions, unstable_features: flags } = (await server.request('GET', '/_matrix/client/versions')).body;
    assert.ok(versions.includes('v1.1') && versions.includes('v1.19'));
    const paths = server.homeserver.routes.flatMap((one) => one.paths);
    const prefixes = new Set(
      paths.flatMap((at) => /^\/_matrix\/client\/unstable\/([^/]+\.msc\d+)/.exec(at)?.[1] ?? []),
    );
    const unannounced = [...prefixes].filter((prefix) => !Object.keys(flags).some((flag) => flag.startsWith(prefix)));
    assert.ok(prefixes.size > 10);
    assert.deepEqual(unannounced, [], 'served, but not announced');
    const { capabilities } = (await alice.request('GET', `${V3}/capabilities`)).body;
    assert.equal(capabilities['m.room_versions'].default, '12');
    assert.equal(Object.keys(capabilities['m.room_versions'].available).length, 12);
  });

  it('tells the way here', async () => {
    const wellKnown = async (name: string) => (await server.request('GET', `/.well-known/matrix/${name}`)).body;
    assert.deepEqual(await wellKnown('client'), {
      'm.homeserver': { base_url: 'https://matrix.example.org' },
      'org.example.x': 1,
    });
    assert.deepEqual(await wellKnown('server'), { 'm.server': 'matrix.example.org:443' });
    assert.deepEqual(await wellKnown('support'), { support_page: 'https://example.org/help' });
  });
});
