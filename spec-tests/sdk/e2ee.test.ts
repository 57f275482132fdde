/** Encryption, on the clients' own library and cryptography: two people with two devices each, over a crash. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Method, Preset } from 'matrix-js-sdk';
import { TestServer } from '../../src/testing/test-server.ts';
import { CryptoDevice, verifyBySas } from './crypto-user.ts';
import { eventually } from './sdk-user.ts';

describe('two people with two devices each, encrypted', () => {
  let server: TestServer;
  let alice: CryptoDevice;
  let alicePhone: CryptoDevice;
  let bob: CryptoDevice;
  let bobPhone: CryptoDevice;
  let carol: CryptoDevice;
  let roomId = '';
  const history: string[] = [];
  const started: CryptoDevice[] = [];

  const start = async (device: Promise<CryptoDevice>): Promise<CryptoDevice> => {
    const one = await device;
    started.push(one);
    return one;
  };
  const say = async (author: CryptoDevice, body: string): Promise<string> => {
    const eventId = await author.say(roomId, body);
    history.push(eventId);
    return eventId;
  };
  const sessionOf = async (reader: CryptoDevice, eventId: string) =>
    (await reader.decrypted(roomId, eventId)).getWireContent().session_id;

  before(async () => {
    server = await TestServer.start();
    alice = await start(CryptoDevice.register(server.baseUrl, 'alice'));
    bob = await start(CryptoDevice.register(server.baseUrl, 'bob'));
    carol = await start(CryptoDevice.register(server.baseUrl, 'carol'));
    await alice.setUp();
    await bob.setUp();
    alicePhone = await start(alice.another());
    bobPhone = await start(bob.another());
  });
  after(async () => {
    for (const device of started) device.stop();
    await server[Symbol.asyncDispose]();
  });

  it('read each other on all devices', async () => {
    const created = await alice.client.createRoom({
      preset: Preset.PrivateChat,
      invite: [bob.userId, carol.userId],
      initial_state: [{ type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
    });
    roomId = created.room_id;
    await bob.client.joinRoom(roomId);
    await carol.client.joinRoom(roomId);
    for (const device of started) {
      await eventually('everyone is there', () => device.client.getRoom(roomId)?.getJoinedMemberCount() === 3);
    }
    const fromAlice = await say(alice, 'hello from alice');
    const fromBob = await say(bobPhone, 'hello from bob');
    for (const device of started) {
      assert.equal(await device.reads(roomId, fromAlice), 'hello from alice');
      assert.equal(await device.reads(roomId, fromBob), 'hello from bob');
    }
    const wire = await alice.client.http.authedRequest<{ type: string }>(
      Method.Get,
      `/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(fromAlice)}`,
    );
    assert.equal(wire.type, 'm.room.encrypted');
  });

  it('verify a new device by SAS, which is then trusted by everyone through cross-signing', async () => {
    assert.equal(await alice.trusts(alicePhone), false);
    await verifyBySas(() => alicePhone.crypto.requestOwnUserVerification(), alice);
    await waitFor('the phone is trusted', () => alice.trusts(alicePhone));
    await waitFor('the phone trusts back', () => alicePhone.trusts(alice));
  });

  it('verify each other by SAS in the room, and both devices of each know it', async () => {
    await verifyBySas(() => alice.crypto.requestVerificationDM(bob.userId, roomId), bob);
    const verified = async (device: CryptoDevice, userId: string) =>
      (await device.crypto.getUserVerificationStatus(userId)).isCrossSigningVerified();
    await waitFor('alice takes bob for verified', () => verified(alice, bob.userId));
    await waitFor('bob takes alice for verified', () => verified(bob, alice.userId));
    await waitFor('alice’s phone knows it too', () => verified(alicePhone, bob.userId));
  });

  it('go on after the server was killed', async () => {
    await server.kill();
    await server.restart();
    const eventId = await say(bob, 'after the crash');
    for (const device of started) assert.equal(await device.reads(roomId, eventId), 'after the crash');
  });

  it('read the history on a third device from the backup', async () => {
    await waitFor('the keys are backed up', async () => (await alice.countBackedUp()) >= 3);
    const tablet = await start(alice.another());
    // A client can only take over an identity that it has already seen.
    assert.equal(await tablet.crypto.userHasCrossSigningKeys(tablet.userId, true), true);
    await tablet.crypto.bootstrapCrossSigning({});
    assert.equal((await tablet.crypto.getCrossSigningStatus()).publicKeysOnDevice, true);
    await tablet.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    const restored = await tablet.crypto.restoreKeyBackup();
    assert.ok(restored.imported >= 3);
    for (const eventId of history.slice(0, 2)) await tablet.decrypted(roomId, eventId);
    await waitFor('the tablet is trusted', () => alice.trusts(tablet));
  });

  it('hear of a device that is removed, and encrypt for it no more', async () => {
    const auth = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: alice.userId },
      password: 'password',
    };
    await alice.client.deleteMultipleDevices([alicePhone.deviceId], auth);
    alicePhone.stop();
    const before = await sessionOf(bob, history.at(-1) ?? '');
    await waitFor('bob hears of it', async () => {
      const devices = await bob.crypto.getUserDeviceInfo([alice.userId]);
      return !devices.get(alice.userId)?.has(alicePhone.deviceId);
    });
    const eventId = await say(bob, 'without the phone');
    assert.equal(await alice.reads(roomId, eventId), 'without the phone');
    assert.notEqual(await sessionOf(alice, eventId), before);
  });

  it('use new keys after somebody left, who can’t read on', async () => {
    const first = await say(bob, 'with carol');
    await carol.decrypted(roomId, first);
    await carol.client.leave(roomId);
    await eventually('bob sees her go', () => bob.client.getRoom(roomId)?.getJoinedMemberCount() === 2);
    const second = await say(bob, 'without carol');
    assert.equal(await alice.reads(roomId, second), 'without carol');
    assert.notEqual(await sessionOf(alice, second), await sessionOf(alice, first));
  });
});

async function waitFor(what: string, probe: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await probe()) return;
    await sleep(50);
  }
  throw new Error(`Waited in vain until ${what}`);
}
