/** Devices of users of another server: known while it can't be reached, and never older than what it said last. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { network } from '../../src/testing/network.ts';
import { act, createRoom, eventually, join, membership } from '../../src/testing/room-client.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { CrossSigningMaker, KeyMaker } from '../client-server/key-maker.ts';

const V3 = '/_matrix/client/v3';

describe('device lists between servers', () => {
  let net: Awaited<ReturnType<typeof start>>;
  let alice: TestUser;
  let bob: TestUser;
  let roomId: string;
  const start = () => network(2, { inProcess: true });

  before(async () => {
    net = await start();
    const [one, two] = net.servers;
    alice = await one.server.register('alice');
    bob = await two.server.register('bob');
    roomId = await createRoom(alice);
    await join(bob, roomId, one.name);
    // Answered when all members are known: before, nothing is kept of them.
    await bob.request('GET', `${V3}/rooms/${encodeURIComponent(roomId)}/members`);
    await upload(alice);
  });
  after(() => net[Symbol.asyncDispose]());

  async function upload(user: TestUser): Promise<void> {
    const device_keys = new KeyMaker(user).deviceKeys();
    assert.equal((await user.request('POST', `${V3}/keys/upload`, { device_keys })).status, 200);
  }

  async function query(deviceIds: readonly string[] = []) {
    const { status, body } = await bob.request('POST', `${V3}/keys/query`, {
      device_keys: { [alice.userId]: deviceIds },
      timeout: 2_000,
    });
    assert.equal(status, 200);
    return { devices: Object.keys(body.device_keys[alice.userId] ?? {}), failures: Object.keys(body.failures ?? {}) };
  }

  it('stay known while the server of the user can’t be reached, and follow what it says afterwards', async () => {
    const [one, two] = net.servers;
    assert.deepEqual(await query(), { devices: [alice.deviceId], failures: [] });
    net.between(one, two).cut();
    assert.deepEqual(await query(), { devices: [alice.deviceId], failures: [] });
    assert.deepEqual(await query(['NONE']), { devices: [], failures: [] });
    const second = await one.server.login('alice');
    await upload(second);
    net.between(one, two).heal();
    const { devices } = await eventually(query, (found) => found.devices.length === 2);
    assert.deepEqual(new Set(devices), new Set([alice.deviceId, second.deviceId]));
    await second.request('POST', `${V3}/logout`, {});
    assert.deepEqual((await eventually(query, (found) => found.devices.length === 1)).devices, [alice.deviceId]);
  });

  it('are to be looked at anew where a user left and came again, of whose devices nothing was heard meanwhile', async () => {
    const sync = async (since: string) => (await bob.request('GET', `${V3}/sync?timeout=0&since=${since}`)).body;
    const is = (wanted: string) =>
      eventually(
        () => membership(bob, roomId, alice.userId),
        (found) => found === wanted,
      );
    const { next_batch: first } = (await bob.request('GET', `${V3}/sync`)).body;
    await alice.request('PUT', `${V3}/profile/${encodeURIComponent(alice.userId)}/displayname`, { displayname: 'Al' });
    const named = await eventually(
      () => sync(first),
      (answer) => answer.rooms !== undefined,
    );
    assert.deepEqual(named.device_lists?.changed ?? [], []);
    const at = named.next_batch;
    await act(alice, roomId, 'leave');
    await is('leave');
    await join(alice, roomId, net.servers[1].name);
    await is('join');
    const { device_lists: lists } = await sync(at);
    assert.deepEqual(lists, { changed: [alice.userId], left: [] });
  });

  it('let users sign the master key of a user of the other server, as nobody else sees', async () => {
    const master = new CrossSigningMaker(alice, 'master');
    const bobMaster = new CrossSigningMaker(bob, 'master');
    const userSigning = new CrossSigningMaker(bob, 'user_signing');
    const publish = (user: TestUser, keys: object) => user.request('POST', `${V3}/keys/device_signing/upload`, keys);
    assert.equal((await publish(alice, { master_key: master.object() })).status, 200);
    const keys = { master_key: bobMaster.object(), user_signing_key: userSigning.object(bobMaster.key) };
    assert.equal((await publish(bob, keys)).status, 200);
    const seenBy = async (user: TestUser) => {
      const body = { device_keys: { [alice.userId]: [] } };
      return (await user.request('POST', `${V3}/keys/query`, body)).body.master_keys?.[alice.userId];
    };
    await eventually(
      () => seenBy(bob),
      (key) => key !== undefined,
    );
    const sign = async (object: object) => {
      const body = { [alice.userId]: { [master.publicKey]: object } };
      return (await bob.request('POST', `${V3}/keys/signatures/upload`, body)).body.failures;
    };
    const forged = bobMaster.sign(master.object());
    assert.equal((await sign(forged))[alice.userId][master.publicKey].errcode, 'M_INVALID_SIGNATURE');
    assert.deepEqual(await sign(userSigning.sign(master.object())), {});
    const signature = [`ed25519:${userSigning.publicKey}`];
    assert.deepEqual(Object.keys((await seenBy(bob)).signatures[bob.userId]), signature);
    assert.equal((await seenBy(alice)).signatures?.[bob.userId], undefined);
  });

  it('are not taken from memory for users with whom no room is shared any more', async () => {
    const [one, two] = net.servers;
    await act(bob, roomId, 'leave');
    net.between(one, two).cut();
    // What is known may be old by now; it is given all the same, since nothing better can be had.
    assert.deepEqual((await query()).devices, [alice.deviceId]);
    await upload(await one.server.login('alice'));
    net.between(one, two).heal();
    const { devices } = await eventually(query, (found) => found.devices.length === 2);
    assert.equal(devices.length, 2);
  });
});
