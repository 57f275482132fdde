/** What Hydrogen offers beyond plain messages, in a public room that is joined by its alias. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { TestServer } from '../../src/testing/test-server.ts';
import { TestBrowser } from './chromium.ts';
import { Person } from './person.ts';

describe('a public room in browsers', () => {
  let server: TestServer;
  let browser: TestBrowser;
  let alice: Person;
  let bob: Person;

  before(async () => {
    server = await TestServer.start({ config: { web: { client: true } } });
    browser = await TestBrowser.launch();
    alice = await Person.arrive(browser, 'alice', server.baseUrl);
    bob = await Person.arrive(browser, 'bob', server.baseUrl);
    await alice.registerAndLogIn();
    await bob.registerAndLogIn();
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  it('is made, and joined by its alias', async () => {
    await alice.createRoom('The inn', { alias: 'inn' });
    await alice.say('Welcome');
    await bob.joinRoom('#inn:example.org');
    await bob.sees('Welcome');
    await alice.page.getByText(/bob.* joined the room/).waitFor();
  });

  it('lists its members', async () => {
    await bob.openMembers();
    assert.deepEqual((await bob.page.locator('.MemberTileView_name').allInnerTexts()).toSorted(), ['alice', 'bob']);
    await bob.screenshot('room-members');
  });

  it('shows a reply with what it answers', async () => {
    await bob.onMessage('Welcome', 'Reply');
    await bob.page.locator('.MessageComposer_replyPreview').waitFor();
    await bob.composer.fill('Thank you');
    await bob.composer.press('Enter');
    await alice.sees('Thank you');
    await alice.message('Thank you').locator('.ReplyPreviewView').filter({ hasText: 'Welcome' }).waitFor();
  });

  it('shows a reaction, and that it was taken back', async () => {
    await alice.onMessage('Thank you', '🎉');
    const seen = bob.message('Thank you').locator('.Timeline_messageReactions button');
    await seen.filter({ hasText: '🎉' }).waitFor();
    assert.match((await seen.textContent()) ?? '', /🎉\s*1/);
    await bob.screenshot('room-reply-and-reaction');
    await alice.message('Thank you').locator('.Timeline_messageReactions button').click();
    await seen.waitFor({ state: 'detached' });
  });

  it('takes a message back', async () => {
    await alice.say('Said by mistake');
    await bob.sees('Said by mistake');
    await alice.onMessage('Said by mistake', 'Delete');
    await bob.message('Said by mistake').waitFor({ state: 'detached' });
    await bob.page.locator('.Timeline').getByText('This message has been deleted').waitFor();
  });

  it('shows a picture, whose thumbnail only members get', async () => {
    await alice.sendPicture('embers.png', await picture());
    assert.deepEqual(await bob.sizeOfPicture(), { width: 400, height: 200 });
    await bob.screenshot('room-picture');
  });

  it('gives a file back as it was sent', async () => {
    const bytes = randomBytes(300_000);
    await alice.sendFile('Fahrplan für März.zip', bytes);
    for (const person of [bob, alice]) {
      const { savedAs, bytes: got } = await person.downloadFile('Fahrplan für März.zip');
      assert.equal(savedAs, 'Fahrplan für März.zip');
      assert.ok(got.equals(bytes), person.name);
    }
  });

  it('shows a picture in an encrypted room, and fetches it but once', async () => {
    await alice.createRoom('Behind the curtain');
    await alice.invite('@bob:example.org');
    await bob.acceptInvite('Behind the curtain');
    let downloads = 0;
    bob.page.on('request', (request) => {
      if (request.url().includes('/media/download/')) downloads++;
    });
    await alice.sendPicture('embers.png', await picture());
    assert.equal((await bob.sizeOfPicture()).width, 400);
    await sleep(500);
    assert.ok(downloads <= 2, `${downloads} downloads`);
    await bob.screenshot('room-encrypted-picture');
  });

  it('gives a file of an encrypted room back as it was sent', async () => {
    const bytes = randomBytes(300_000);
    await alice.sendFile('curtain.zip', bytes);
    const { savedAs, bytes: got } = await bob.downloadFile('curtain.zip');
    assert.equal(savedAs, 'curtain.zip');
    assert.ok(got.equals(bytes));
    for (const person of [alice, bob]) await person.openRoom('The inn');
  });

  it('counts what is unread, until it is read', async () => {
    const badge = bob.roomTile('The inn').locator('.badge');
    await badge.waitFor({ state: 'hidden' });
    await bob.createRoom('Elsewhere');
    await alice.say('One more');
    await alice.say('And another');
    await badge.filter({ hasText: '2' }).waitFor();
    await bob.screenshot('room-unread');
    await bob.openRoom('The inn');
    await bob.sees('And another');
    await badge.waitFor({ state: 'hidden' });
  });

  it('shows the same after a reload, and nothing went wrong', async () => {
    await bob.page.reload();
    await bob.sees('And another');
    await bob.message('Thank you').locator('.ReplyPreviewView').filter({ hasText: 'Welcome' }).waitFor();
    assert.equal(await bob.message('Said by mistake').count(), 0);
    assert.deepEqual({ alice: alice.problems, bob: bob.problems }, { alice: [], bob: [] });
  });
});

/** A PNG of 800 x 400 pixels. */
function picture(): Promise<Buffer> {
  return sharp({ create: { width: 800, height: 400, channels: 3, background: '#c86432' } })
    .png()
    .toBuffer();
}
