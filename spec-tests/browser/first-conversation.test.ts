/** What a newcomer does after `npm start`, in a browser, with what is in the box. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import { TestBrowser } from './chromium.ts';
import { Person } from './person.ts';

describe('two people in browsers', () => {
  let server: TestServer;
  let browser: TestBrowser;
  let alice: Person;
  let bob: Person;

  before(async () => {
    server = await TestServer.start({ config: { web: { client: true } } });
    browser = await TestBrowser.launch();
    alice = await Person.arrive(browser, 'alice', server.baseUrl);
    bob = await Person.arrive(browser, 'bob', server.baseUrl);
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  it('leads from the start page to the first account', async () => {
    await alice.open('/');
    await alice.page.getByText('This Matrix homeserver is running').waitFor();
    await alice.screenshot('1-start-page');
    await alice.page.getByRole('link', { name: 'Make the first account' }).click();
    await alice.screenshot('2-registration');
    await alice.fillRegistration();
    await alice.page.getByText('@alice:example.org').waitFor();
    await alice.screenshot('3-registered');
  });

  it('signs in with Hydrogen, which knows the server already', async () => {
    await alice.page.getByRole('link', { name: 'Sign in and chat' }).click();
    assert.equal(await alice.page.getByLabel('Homeserver').inputValue(), server.baseUrl);
    await alice.page.getByLabel('Username').waitFor();
    await alice.screenshot('4-sign-in');
    await alice.logIn();
    await bob.registerAndLogIn();
  });

  it('creates an encrypted room, invites and joins', async () => {
    await alice.createRoom('By the fire');
    await alice.invite('@bob:example.org');
    await bob.roomTile('By the fire').waitFor();
    await bob.acceptInvite('By the fire');
    await alice.page.getByText('bob joined the room').waitFor();
  });

  it('brings each message to the other', async () => {
    await alice.say('Is anybody here?');
    await bob.sees('Is anybody here?');
    await bob.say('I am, come in.');
    await alice.sees('I am, come in.');
    await alice.screenshot('5-alice-talks');
    await bob.screenshot('6-bob-talks');
  });

  it('shows everything again after both have reloaded', async () => {
    for (const person of [alice, bob]) {
      await person.page.reload();
      await person.sees('Is anybody here?');
      await person.sees('I am, come in.');
    }
    await bob.screenshot('7-bob-after-reload');
    assert.deepEqual({ alice: alice.problems, bob: bob.problems }, { alice: [], bob: [] });
  });

  it('goes on when the server was killed and comes back', async () => {
    await server.kill();
    await alice.composer.fill('Written while the server was down');
    await alice.composer.press('Enter');
    await server.restart();
    await bob.sees('Written while the server was down');
    await bob.say('And answered after it came back');
    await alice.sees('And answered after it came back');
    await alice.screenshot('8-alice-after-restart');
    await alice.page.reload();
    await alice.sees('And answered after it came back');
  });
});
