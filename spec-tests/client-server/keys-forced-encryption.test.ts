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
