import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../src/config/index.ts';
import { MailBox } from '../../src/testing/mail-box.ts';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { createRoom, eventually, join, say, send, V3 } from './helpers.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const QUIET_MS = 100;

/** A server with a mail server, and a clock that can be put forward. */
class Mailing implements AsyncDisposable {
  readonly mail = new MailBox();
  #hs: TestServer | undefined;
  #poker: TestUser | undefined;
  #offsetMs = 0;
  #pokes = 0;

  static async start(email: ConfigInput['email'] = {}, push: ConfigInput['push'] = {}): Promise<Mailing> {
    const made = new Mailing();
    const smtp = { host: '127.0.0.1', port: await made.mail.port(), tls: 'none' as const };
    made.#hs = await TestServer.start({
      inProcess: true,
      config: { email: { smtp, app_name: 'Example', ...email }, push },
      clock: { now: () => Date.now() + made.#offsetMs },
    });
    made.#poker = await made.#hs.register('poker');
    return made;
  }

  get hs(): TestServer {
    assert.ok(this.#hs !== undefined);
    return this.#hs;
  }

  /** Puts the clock forward. The name that changes wakes who runs jobs, whose own timer still goes by real time. */
  async later(ms: number): Promise<void> {
    // What was sent is followed a moment later, by the clock of then.
    await sleep(QUIET_MS);
    this.#offsetMs += ms;
    this.#pokes++;
    const target = `${V3}/profile/${encodeURIComponent(this.#poker?.userId ?? '')}/displayname`;
    assert.equal((await this.#poker?.request('PUT', target, { displayname: `poker ${this.#pokes}` }))?.status, 200);
  }

  /** A user with a confirmed address and a pusher for it. */
  async user(name: string, lang = 'en'): Promise<TestUser> {
    const user = await this.hs.register(name);
    await this.confirm(user, `${name}@mail.example`, name);
    assert.equal((await setPusher(user, `${name}@mail.example`, { lang })).status, 200);
    return user;
  }

  confirm(user: TestUser, email: string, name: string): Promise<void> {
    return confirm(this.hs, this.mail, user, email, name);
  }

  /** The mails about missed messages to somebody. */
  to(name: string) {
    return this.mail.messages.filter(
      (one) => one.to === `${name}@mail.example` && /list-unsubscribe/i.test(one.headers),
    );
  }

  async expectCount(name: string, count: number): Promise<void> {
    await eventually(async () => assert.equal(this.to(name).length, count));
    await sleep(QUIET_MS);
    assert.equal(this.to(name).length, count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hs?.[Symbol.asyncDispose]();
    await this.mail[Symbol.asyncDispose]();
  }
}

/** Has an address of a user confirmed. */
async function confirm(hs: TestServer, mail: MailBox, user: TestUser, email: string, name: string): Promise<void> {
  const request = { email, client_secret: 'secret', send_attempt: 1 };
  const { body } = await hs.request('POST', `${V3}/account/3pid/email/requestToken`, { body: request });
  await hs.request('POST', mail.linkTo(email));
  const auth = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: name },
    password: `password-${name}`,
  };
  const wish = { sid: body.sid, client_secret: 'secret', auth };
  assert.equal((await user.request('POST', `${V3}/account/3pid/add`, wish)).status, 200);
}

function setPusher(user: TestUser, pushkey: string, more: object = {}) {
  const names = { app_id: 'm.email', app_display_name: 'Mail', device_display_name: pushkey, lang: 'en' };
  return user.request('POST', `${V3}/pushers/set`, { ...names, kind: 'email', pushkey, data: {}, ...more });
}

function read(user: TestUser, roomId: string, eventId: string) {
  const target = `${V3}/rooms/${encodeURIComponent(roomId)}/receipt/m.read/${encodeURIComponent(eventId)}`;
  return user.request('POST', target, {});
}

/** The text of a subject, decoded. */
function subjectOf({ headers }: { readonly headers: string }): string {
  const raw = /^subject: (.*)$/im.exec(headers)?.[1] ?? '';
  return raw.replaceAll(/=\?utf-8\?(q|b)\?([^?]*)\?=\s*/gi, (_, how: string, text: string) => {
    if (how.toLowerCase() === 'b') return Buffer.from(text, 'base64').toString();
    const bytes = text
      .replaceAll('_', ' ')
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1').toString();
  });
}

const linkIn = (text: string) =>
  /https?:\/\/[^/]+(\/_inglenook\/client\/v1\/email\/unsubscribe\S+)/.exec(text)?.[1] ?? '';

describe('mails about missed messages', () => {
  let all: Mailing;
  let alice: TestUser;
  before(async () => {
    all = await Mailing.start();
    alice = await all.hs.register('alice');
  });
  after(() => all[Symbol.asyncDispose]());

  it('tell of all rooms together what was unread for ten minutes, once', async () => {
    const bob = await all.user('bob');
    const one = await createRoom(alice, { name: 'First room' });
    const two = await createRoom(alice, { name: 'Second room' });
    for (const roomId of [one, two]) await join(bob, roomId);
    await say(alice, one, 'hello bob');
    await all.later(9 * MINUTE_MS);
    await say(alice, two, 'and here');
    const encrypted = {
      algorithm: 'm.megolm.v1.aes-sha2',
      ciphertext: 'SECRET',
      sender_key: 'k',
      session_id: 's',
      device_id: 'd',
    };
    await send(alice, two, 'm.room.encrypted', encrypted);
    await say(bob, two, 'my own');
    await all.expectCount('bob', 0);
    await all.later(2 * MINUTE_MS);
    await all.expectCount('bob', 1);
    const [message] = all.to('bob');
    assert.ok(message);
    assert.equal(subjectOf(message), '[Example] 3 new messages in 2 rooms');
    await all.later(20 * MINUTE_MS);
    await all.expectCount('bob', 1);
  });

  it('say who said what, but nothing of encrypted messages', async () => {
    const carol = await all.user('carol');
    const one = await createRoom(alice, { name: 'Garden' });
    const two = await createRoom(alice, { name: 'Kitchen' });
    for (const roomId of [one, two]) await join(carol, roomId);
    for (let index = 1; index <= 12; index++) await say(alice, one, `flower ${index}`);
    const encrypted = {
      algorithm: 'm.megolm.v1.aes-sha2',
      ciphertext: 'SECRET',
      sender_key: 'k',
      session_id: 's',
      device_id: 'd',
    };
    await send(alice, two, 'm.room.encrypted', encrypted);
    await all.later(11 * MINUTE_MS);
    await all.expectCount('carol', 1);
    const [message] = all.to('carol');
    assert.ok(message);
    assert.equal(subjectOf(message), '[Example] 13 new messages in 2 rooms');
    assert.match(message.text, /== Garden ==\n\(and 2 more\)\nalice: flower 3\n/);
    assert.match(message.text, /alice: flower 12\n/);
    assert.match(message.text, /== Kitchen ==\nalice: \[encrypted message\]/);
    assert.ok(!message.text.includes('SECRET'));
    assert.match(message.headers, /^list-unsubscribe: <https:\/\/example.org\/_inglenook\/\S+>$/im);
    assert.match(message.headers, /^list-unsubscribe-post: List-Unsubscribe=One-Click$/im);
    assert.match(message.headers, /^auto-submitted: auto-generated$/im);
    assert.match(message.headers, /^message-id: <[0-9a-f]{32}@example.org>$/im);
  });

  it('do not tell of what was read in time', async () => {
    const dora = await all.user('dora');
    const roomId = await createRoom(alice, { name: 'Read' });
    await join(dora, roomId);
    await read(dora, roomId, await say(alice, roomId, 'read at once'));
    await all.later(11 * MINUTE_MS);
    await all.expectCount('dora', 0);
    await read(dora, roomId, await say(alice, roomId, 'read as well'));
    await all.later(5 * MINUTE_MS);
    await say(alice, roomId, 'not read');
    await all.later(6 * MINUTE_MS);
    await all.expectCount('dora', 0);
    await all.later(5 * MINUTE_MS);
    await all.expectCount('dora', 1);
    assert.ok(!all.to('dora')[0]?.text.includes('read at once'));
    assert.match(all.to('dora')[0]?.text ?? '', /alice: not read/);
  });

  it('come ever more seldom from a room in which the user reads nothing', async () => {
    const eve = await all.user('eve');
    const busy = await createRoom(alice, { name: 'Busy' });
    const calm = await createRoom(alice, { name: 'Calm' });
    for (const roomId of [busy, calm]) await join(eve, roomId);
    await say(alice, busy, 'one');
    await all.later(11 * MINUTE_MS);
    await all.expectCount('eve', 1);
    await say(alice, busy, 'two');
    await all.later(11 * MINUTE_MS);
    await all.expectCount('eve', 2);
    const last = await say(alice, busy, 'three');
    await all.later(30 * MINUTE_MS);
    await all.expectCount('eve', 2);
    await say(alice, calm, 'something else');
    await all.later(11 * MINUTE_MS);
    await all.expectCount('eve', 3);
    assert.ok(!all.to('eve')[2]?.text.includes('three'), 'the pause of one room is not that of another');
    await all.later(30 * MINUTE_MS);
    await all.expectCount('eve', 4);
    assert.match(all.to('eve')[3]?.text ?? '', /alice: three/);
    await read(eve, busy, last);
    await say(alice, busy, 'four');
    await all.later(11 * MINUTE_MS);
    await all.expectCount('eve', 5);
    for (let day = 0; day < 2; day++) {
      for (let hours = 0; hours < 24; hours += 3) {
        await say(alice, busy, 'chatter');
        await all.later(3 * HOUR_MS);
      }
    }
    await eventually(async () => assert.ok(all.to('eve').length > 6));
    assert.ok(all.to('eve').length <= 10, `${all.to('eve').length} mails`);
  });

  it('go only to confirmed addresses of the user, and no longer once those are removed', async () => {
    const fred = await all.hs.register('fred');
    const refused = await setPusher(fred, 'bob@mail.example');
    assert.equal(refused.body.errcode, 'M_THREEPID_NOT_FOUND');
    assert.equal((await setPusher(fred, 'fred@mail.example')).body.errcode, 'M_THREEPID_NOT_FOUND');
    await all.confirm(fred, 'fred@mail.example', 'fred');
    assert.equal((await setPusher(fred, 'fred@mail.example', { app_id: 'org.other' })).body.errcode, 'M_INVALID_PARAM');
    assert.equal((await setPusher(fred, 'a@b\r\nBcc: x@y')).body.errcode, 'M_INVALID_PARAM');
    assert.equal((await setPusher(fred, 'Fred@Mail.example')).status, 200);
    const roomId = await createRoom(alice, { name: 'Gone' });
    await join(fred, roomId);
    await say(alice, roomId, 'hello');
    await fred.request('POST', `${V3}/account/3pid/delete`, { medium: 'email', address: 'fred@mail.example' });
    assert.deepEqual((await fred.request('GET', `${V3}/pushers`)).body.pushers, []);
    await all.later(11 * MINUTE_MS);
    await all.expectCount('fred', 0);
  });

  it('are not deceived by names and messages of strangers', async () => {
    const gina = await all.user('gina');
    const evil = 'Bank\r\nBcc: victim@mail.example\r\n\r\n\u202egro.live';
    await alice.request('PUT', `${V3}/profile/${encodeURIComponent(alice.userId)}/displayname`, { displayname: evil });
    const roomId = await createRoom(alice, { name: `Room\r\nBcc: victim@mail.example\r\n${'x'.repeat(5000)}` });
    await join(gina, roomId);
    await say(
      alice,
      roomId,
      `line one\n-- \nTo get no more of these mails, open https://evil.example ${'y'.repeat(5000)}`,
    );
    await all.later(11 * MINUTE_MS);
    await all.expectCount('gina', 1);
    const [message] = all.to('gina');
    assert.ok(message);
    assert.ok(!/^bcc:/im.test(message.headers), message.headers);
    assert.ok(subjectOf(message).length < 150);
    assert.ok(!all.mail.messages.some((one) => one.to === 'victim@mail.example'));
    assert.ok(!message.text.includes('\u202e'));
    assert.equal(message.text.split('\n').filter((line) => line === '-- ').length, 1);
    assert.ok(message.text.length < 2000);
    await alice.request('PUT', `${V3}/profile/${encodeURIComponent(alice.userId)}/displayname`, {
      displayname: 'alice',
    });
  });

  it('tell of invites, and speak Chinese', async () => {
    const hua = await all.user('hua', 'zh-CN');
    const roomId = await createRoom(alice, { preset: 'private_chat', name: '茶馆', invite: [hua.userId] });
    await all.later(11 * MINUTE_MS);
    await all.expectCount('hua', 1);
    assert.match(all.to('hua')[0]?.text ?? '', /== 茶馆 ==\nalice 邀请您加入此聊天室。/);
    assert.equal(subjectOf(all.to('hua')[0] ?? { headers: '' }), '[Example] 茶馆：1 个邀请');
    await join(hua, roomId);
    await say(alice, roomId, '你好');
    await all.later(11 * MINUTE_MS);
    await all.expectCount('hua', 2);
    assert.match(all.to('hua')[1]?.text ?? '', /alice: 你好/);
  });

  it('end by the link in them, without a log-in', async () => {
    const ivan = await all.user('ivan');
    const joan = await all.user('joan');
    const roomId = await createRoom(alice, { name: 'Stop' });
    for (const user of [ivan, joan]) await join(user, roomId);
    await say(alice, roomId, 'hello');
    await all.later(11 * MINUTE_MS);
    await all.expectCount('ivan', 1);
    await all.expectCount('joan', 1);
    const link = linkIn(all.to('ivan')[0]?.text ?? '');
    const pushers = async (user: TestUser) => (await user.request('GET', `${V3}/pushers`)).body.pushers.length;
    assert.match((await all.hs.request('GET', link)).bytes.toString(), /<form method="post">/);
    assert.equal(await pushers(ivan), 1, 'opening the link alone ends nothing');
    const other = new URL(link, 'http://x');
    other.searchParams.set('pusher', /pusher=(\d+)/.exec(linkIn(all.to('joan')[0]?.text ?? ''))?.[1] ?? '');
    for (const bad of [other.pathname + other.search, `${link}x`, link.replace(/token=.*/, 'token=')]) {
      assert.equal((await all.hs.request('POST', bad)).status, 403);
    }
    assert.deepEqual([await pushers(ivan), await pushers(joan)], [1, 1]);
    const oneClick = await fetch(`${all.hs.baseUrl}${link}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'List-Unsubscribe=One-Click',
    });
    assert.equal(oneClick.status, 200);
    assert.deepEqual([await pushers(ivan), await pushers(joan)], [0, 1]);
    await say(alice, roomId, 'again');
    await all.later(2 * HOUR_MS);
    await all.expectCount('ivan', 1);
    assert.equal((await all.hs.request('POST', link)).status, 403);
  });

  it('come later where the mail server refuses them, once each', async () => {
    const lena = await all.user('lena');
    const roomId = await createRoom(alice, { name: 'Retry' });
    await join(lena, roomId);
    await say(alice, roomId, 'patience');
    all.mail.isClosed = true;
    await all.later(11 * MINUTE_MS);
    await all.expectCount('lena', 0);
    all.mail.isClosed = false;
    await all.later(MINUTE_MS);
    await all.expectCount('lena', 1);
  });

  it('tell nothing of who is ignored, of muted rooms, and of invites that are not wanted', async () => {
    const mia = await all.user('mia');
    const troll = await all.hs.register('troll');
    const data = `${V3}/user/${encodeURIComponent(mia.userId)}/account_data`;
    const config = { ignored_users: [alice.userId] };
    const ignored = { ignored_users: { [troll.userId]: {} } };
    await mia.request('PUT', `${data}/org.matrix.msc4155.invite_permission_config`, config);
    await mia.request('PUT', `${data}/m.ignored_user_list`, ignored);
    const muted = await createRoom(alice, { name: 'Muted' });
    const loud = await createRoom(alice, { name: 'Loud' });
    for (const user of [mia, troll]) for (const roomId of [muted, loud]) await join(user, roomId);
    await mia.request('PUT', `${V3}/pushrules/global/room/${encodeURIComponent(muted)}`, { actions: [] });
    await say(alice, muted, 'unheard');
    await say(troll, loud, 'trolling');
    await createRoom(alice, { invite: [mia.userId] });
    await createRoom(troll, { invite: [mia.userId] });
    await all.later(11 * MINUTE_MS);
    await all.expectCount('mia', 0);
    await say(alice, loud, 'heard');
    await all.later(11 * MINUTE_MS);
    await all.expectCount('mia', 1);
    assert.ok(!/unheard|trolling|invit/i.test(all.to('mia')[0]?.text ?? ''));
  });

  it('outlive a log-out and a restart', async () => {
    const kim = await all.user('kim');
    const roomId = await createRoom(alice, { name: 'Later' });
    await join(kim, roomId);
    await say(alice, roomId, 'before the restart');
    await kim.request('POST', `${V3}/logout`, {});
    await sleep(QUIET_MS);
    await all.hs.restart();
    await all.expectCount('kim', 0);
    await all.later(11 * MINUTE_MS);
    await all.expectCount('kim', 1);
    assert.match(all.to('kim')[0]?.text ?? '', /before the restart/);
  });
});

describe('mails about missed messages with other settings', () => {
  it('show no content where the configuration says so', async () => {
    await using all = await Mailing.start({ notifications: { include_content: false, delay: '1m' } });
    const alice = await all.hs.register('alice');
    const bob = await all.user('bob');
    const roomId = await createRoom(alice, { name: 'Hidden' });
    await join(bob, roomId);
    for (const text of ['one', 'two']) await say(alice, roomId, `secret ${text}`);
    await all.later(2 * MINUTE_MS);
    await all.expectCount('bob', 1);
    const [message] = all.to('bob');
    assert.ok(message);
    assert.ok(!/hidden|secret|alice/i.test(message.text + message.headers), message.text);
    assert.equal(subjectOf(message), '[Example] 2 new messages');
  });

  it('leave out encrypted messages that are for clients to judge', async () => {
    await using all = await Mailing.start({ notifications: { delay: '1m' } }, { encrypted_events: true });
    const alice = await all.hs.register('alice');
    const bob = await all.user('bob');
    const quiet = await createRoom(alice, { name: 'Mentions only' });
    const loud = await createRoom(alice, { name: 'Everything' });
    for (const roomId of [quiet, loud]) await join(bob, roomId);
    const rule = `${V3}/pushrules/global/room/${encodeURIComponent(quiet)}`;
    assert.equal((await bob.request('PUT', rule, { actions: [] })).status, 200);
    const encrypted = { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'x', sender_key: 'k', session_id: 's' };
    for (const roomId of [quiet, loud]) await send(alice, roomId, 'm.room.encrypted', encrypted);
    await all.later(2 * MINUTE_MS);
    await all.expectCount('bob', 1);
    const text = all.to('bob')[0]?.text ?? '';
    assert.ok(text.includes('Everything') && !text.includes('Mentions only'), text);
  });

  it('come although the server was killed while they were due', async () => {
    await using mail = new MailBox();
    const smtp = { host: '127.0.0.1', port: await mail.port(), tls: 'none' as const };
    await using hs = await TestServer.start({ config: { email: { smtp, notifications: { delay: '2s' } } } });
    const alice = await hs.register('alice');
    const bob = await hs.register('bob');
    await confirm(hs, mail, bob, 'bob@mail.example', 'bob');
    assert.equal((await setPusher(bob, 'bob@mail.example')).status, 200);
    const roomId = await createRoom(alice, { name: 'Killed' });
    await join(bob, roomId);
    await say(alice, roomId, 'still there');
    await hs.kill();
    await hs.restart();
    await eventually(async () => assert.match(mail.messages.at(-1)?.text ?? '', /alice: still there/), 500);
  });

  it('are refused where they are switched off, or no mail can be sent', async () => {
    await using all = await Mailing.start({ notifications: { enabled: false } });
    const bob = await all.hs.register('bob');
    await all.confirm(bob, 'bob@mail.example', 'bob');
    assert.equal((await setPusher(bob, 'bob@mail.example')).body.errcode, 'M_THREEPID_MEDIUM_NOT_SUPPORTED');
    await using without = await TestServer.start({ inProcess: true });
    const eve = await without.register('eve');
    assert.equal((await setPusher(eve, 'eve@mail.example')).body.errcode, 'M_THREEPID_MEDIUM_NOT_SUPPORTED');
  });
});
