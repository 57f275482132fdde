/** Encrypted: two people in browsers with somebody on `matrix-js-sdk`, whose backup opens in a browser of their own. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestServer } from '../../src/testing/test-server.ts';
import { CryptoDevice, PASSWORD } from '../sdk/crypto-user.ts';
import { eventually } from '../sdk/sdk-user.ts';
import { TestBrowser } from './chromium.ts';
import { Person } from './person.ts';

describe('two people in browsers and one on matrix-js-sdk', () => {
  let server: TestServer;
  let browser: TestBrowser;
  let alice: Person;
  let bob: Person;
  let carol: CryptoDevice;
  let roomId = '';

  before(async () => {
    server = await TestServer.start({ config: { web: { client: true } } });
    browser = await TestBrowser.launch();
    alice = await Person.arrive(browser, 'alice', server.baseUrl);
    bob = await Person.arrive(browser, 'bob', server.baseUrl);
    carol = await CryptoDevice.register(server.baseUrl, 'carol');
    await carol.setUp();
  });
  after(async () => {
    carol?.stop();
    await browser?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  /** The event with this text that the third one has decrypted. */
  const carolReads = (text: string) =>
    eventually(`carol reads ${text}`, () =>
      carol.client
        .getRoom(roomId)
        ?.getLiveTimeline()
        .getEvents()
        .find((event) => event.getContent().body === text && !event.isDecryptionFailure()),
    );

  it('read each other in an encrypted room', async () => {
    await alice.registerAndLogIn();
    await bob.registerAndLogIn();
    await alice.createRoom('Behind the hedge');
    await alice.invite('@bob:example.org');
    await bob.acceptInvite('Behind the hedge');
    await alice.invite(carol.userId);
    const invited = await eventually('carol is invited', () =>
      carol.client.getRooms().find((room) => room.getMyMembership() === 'invite'),
    );
    roomId = invited.roomId;
    await carol.client.joinRoom(roomId);
    for (const { page } of [alice, bob]) await page.getByText('carol joined the room').waitFor();
    await alice.say('from the first browser');
    await bob.sees('from the first browser');
    await bob.say('from the second browser');
    await alice.sees('from the second browser');
    for (const text of ['from the first browser', 'from the second browser']) {
      assert.equal((await carolReads(text)).getWireType(), 'm.room.encrypted');
    }
    await carol.say(roomId, 'from the library');
    for (const person of [alice, bob]) await person.sees('from the library');
  });

  it('find what was said before in the key backup, in a browser that is new', { timeout: 60_000 }, async ({
    signal,
  }) => {
    while ((await carol.countBackedUp()) < 3) await sleep(100, undefined, { signal });
    const newcomer = await Person.arrive(browser, 'carol', server.baseUrl, PASSWORD);
    await newcomer.open('/_web/');
    await newcomer.logIn();
    await newcomer.openRoom('Behind the hedge');
    await newcomer.page.locator('.Timeline li').first().waitFor();
    assert.equal(await newcomer.message('from the library').count(), 0);
    await newcomer.unlockBackup(carol.recoveryKey);
    await newcomer.screenshot('9-key-backup');
    await newcomer.openRoom('Behind the hedge');
    for (const text of ['from the first browser', 'from the second browser', 'from the library']) {
      await newcomer.sees(text);
    }
    await newcomer.screenshot('10-restored');
    await newcomer.say('from the new browser');
    for (const person of [alice, bob]) await person.sees('from the new browser');
    await carolReads('from the new browser');
    const problems = { alice: alice.problems, bob: bob.problems, carol: newcomer.problems };
    assert.deepEqual(problems, { alice: [], bob: [], carol: [] });
  });
});
