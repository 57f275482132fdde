/** Rooms that are encrypted because the server says so. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';

const V3 = '/_matrix/client/v3';

it('encrypts new rooms of the presets that the configuration names, and says so', async () => {
  await using server = await TestServer.start({
    inProcess: true,
    config: { rooms: { encrypted_presets: ['private_chat'] } },
  });
  const { unstable_features: flags } = (await server.request('GET', '/_matrix/client/versions')).body;
  assert.equal(flags['io.element.e2ee_forced.private'], true);
  assert.equal(flags['io.element.e2ee_forced.public'], false);
  const alice = await server.register('alice');
  const encryptionOf = async (options: object) => {
    const { room_id: roomId } = (await alice.request('POST', `${V3}/createRoom`, options)).body;
    return alice.request('GET', `${V3}/rooms/${encodeURIComponent(roomId)}/state/m.room.encryption/`);
  };
  assert.deepEqual((await encryptionOf({})).body, { algorithm: 'm.megolm.v1.aes-sha2' });
  assert.equal((await encryptionOf({ preset: 'public_chat' })).status, 404);
});

it('passes on what concerns encryption word for word: well-known settings and the wish for a backup', async () => {
  const settings = { default: true, secure_backup_required: true, secure_backup_setup_methods: ['key'] };
  await using server = await TestServer.start({
    inProcess: true,
    config: {
      server: { name: 'example.org', public_url: 'https://matrix.example.org/' },
      well_known: { client: { 'io.element.e2ee': settings } },
    },
  });
  const found = (await server.request('GET', '/.well-known/matrix/client')).body;
  assert.deepEqual(found, {
    'm.homeserver': { base_url: 'https://matrix.example.org' },
    'io.element.e2ee': settings,
  });
  const alice = await server.register('alice');
  const login = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: 'alice' },
    password: 'password-alice',
  };
  assert.deepEqual((await server.request('POST', `${V3}/login`, { body: login })).body.well_known, found);

  const target = `${V3}/user/${encodeURIComponent(alice.userId)}/account_data/m.key_backup`;
  const wish = { enabled: false, 'org.example.more': [1, { deep: null }] };
  const { next_batch: since } = (await alice.request('GET', `${V3}/sync`)).body;
  assert.equal((await alice.request('PUT', target, wish)).status, 200);
  assert.deepEqual((await alice.request('GET', target)).body, wish);
  const news = (await alice.request('GET', `${V3}/sync?since=${since}`)).body.account_data.events;
  assert.deepEqual(news, [{ type: 'm.key_backup', content: wish }]);
});
