/** Encrypted rooms across servers, on the clients' own library and cryptography: one person here, one at a Synapse. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Preset } from 'matrix-js-sdk';
import { CryptoDevice, verifyBySas } from '../sdk/crypto-user.ts';
import { eventually } from '../sdk/sdk-user.ts';
import { type Pair, type Side, startPair } from './pair.ts';

describe('encrypted, with a Synapse', () => {
  let pair: Pair;
  let ours: Side;
  let theirs: Side;
  let alice: CryptoDevice;
  let bob: CryptoDevice;
  let roomId = '';
  const started: CryptoDevice[] = [];

  before(async () => {
    pair = await startPair();
    ({ ours, theirs } = pair);
    alice = await start(CryptoDevice.register(ours.baseUrl, 'alice'));
    bob = await start(CryptoDevice.register(theirs.baseUrl, 'bob'));
    await alice.setUp();
    await bob.setUp();
  });

  after(async () => {
    for (const device of started) device.stop();
    await pair[Symbol.asyncDispose]();
  });

  async function start(device: Promise<CryptoDevice>): Promise<CryptoDevice> {
    const one = await device;
    started.push(one);
    return one;
  }

  async function assertTalk(what: string): Promise<void> {
    for (const [from, to] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const eventId = await from.say(roomId, `${what}, from ${from.userId}`);
      assert.equal(await to.reads(roomId, eventId), `${what}, from ${from.userId}`);
    }
  }

  for (const [who, sides] of [
    ['them', () => ({ host: bob, guest: alice })],
    ['us', () => ({ host: alice, guest: bob })],
  ] as const) {
    it(`people read each other in a room made by ${who}`, async () => {
      const { host, guest } = sides();
      const { room_id: created } = await host.client.createRoom({
        preset: Preset.PrivateChat,
        invite: [guest.userId],
        initial_state: [{ type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
      });
      await eventually('the invite comes', () => guest.client.getRoom(created)?.getMyMembership() === 'invite');
      await guest.client.joinRoom(created);
      for (const device of [host, guest]) {
        await eventually('both are there', () => device.client.getRoom(created)?.getJoinedMemberCount() === 2);
      }
      roomId = created;
      await assertTalk('hello');
    });
  }

  it('people verify each other by SAS, and know it afterwards', async () => {
    await verifyBySas(() => alice.crypto.requestVerificationDM(bob.userId, roomId), bob);
    const verified = async (device: CryptoDevice, userId: string) =>
      (await device.crypto.getUserVerificationStatus(userId)).isCrossSigningVerified();
    await waitFor('alice takes bob for verified', () => verified(alice, bob.userId));
    await waitFor('bob takes alice for verified', () => verified(bob, alice.userId));
    assert.equal(await alice.trusts(bob), true);
    assert.equal(await bob.trusts(alice), true);
  });

  it('a new device is verified by its owner, trusted on the other side, and reads along', async () => {
    for (const [owner, other] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const phone = await start(owner.another());
      await verifyBySas(() => phone.crypto.requestOwnUserVerification(), owner);
      await waitFor('the phone is trusted on the other side', async () => {
        await other.crypto.getUserDeviceInfo([owner.userId], true);
        return other.trusts(phone);
      });
      const eventId = await other.say(roomId, 'to all devices');
      assert.equal(await phone.reads(roomId, eventId), 'to all devices');
    }
  });

  it('people go on after each server was killed', async () => {
    for (const side of [ours, theirs]) {
      await side.kill();
      await side.run();
      await assertTalk(`after ${side.name} was back`);
    }
  });
});

async function waitFor(what: string, probe: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (await probe()) return;
    await sleep(50);
  }
  throw new Error(`Waited in vain until ${what}`);
}
