import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

const MAIN = path.join(import.meta.dirname, '../../src/main.ts');

/** The last line of `media verify`; while the server runs it is asked. */
async function verify(hs: TestServer, ...options: string[]): Promise<string> {
  const config = path.join(hs.folder, 'config.yaml');
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'media', 'verify', '-c', config, ...options]);
  return stdout.trim().split('\n').at(-1) ?? '';
}

async function files(hs: TestServer): Promise<readonly string[]> {
  const entries = await readdir(path.join(hs.folder, 'media/files'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

async function upload(hs: TestServer, user: TestUser, body: Buffer): Promise<string> {
  const token = user.accessToken;
  const answer = await hs.request('POST', '/_matrix/media/v3/upload', { token, body });
  assert.equal(answer.status, 200);
  return answer.body.content_uri;
}

const download = (user: TestUser, mxc: string) =>
  user.request('GET', `/_matrix/client/v1/media/download/${mxc.slice('mxc://'.length)}`);

async function until(what: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await what())) {
    if (performance.now() > deadline) throw new Error('it did not happen');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

describe('redaction', () => {
  it('deletes a file with its thumbnails when the last event that refers to it is redacted', async () => {
    await using hs = await TestServer.start({ config: { media: { tidy: { redacted_delay: '100ms' } } } });
    const alice = await hs.register('alice');
    const room = (await alice.request('POST', '/_matrix/client/v3/createRoom', {})).body.room_id;
    const photo = await sharp({ create: { width: 500, height: 400, channels: 3, background: '#222' } })
      .jpeg()
      .toBuffer();
    const [mxc, other, avatar] = [
      await upload(hs, alice, photo),
      await upload(hs, alice, randomBytes(100)),
      await upload(hs, alice, randomBytes(100)),
    ];
    const thumbnail = `/_matrix/client/v1/media/thumbnail/${mxc.slice(6)}?width=96&height=96`;
    assert.equal((await alice.request('GET', thumbnail)).status, 200);
    await alice.request('PUT', `/_matrix/client/v3/profile/${alice.userId}/avatar_url`, { avatar_url: avatar });
    const send = async (txn: string, url: string): Promise<string> => {
      const content = { msgtype: 'm.image', body: 'x', url };
      const target = `/_matrix/client/v3/rooms/${room}/send/m.room.message/${txn}`;
      return (await alice.request('PUT', target, content)).body.event_id;
    };
    const redact = async (eventId: string): Promise<void> => {
      const target = `/_matrix/client/v3/rooms/${room}/redact/${encodeURIComponent(eventId)}/r${eventId.slice(1, 9)}`;
      assert.equal((await alice.request('PUT', target, {})).status, 200);
    };
    const [first, second, third, fourth] = [
      await send('1', mxc),
      await send('2', mxc),
      await send('3', other),
      await send('4', avatar),
    ];
    await redact(first);
    await redact(fourth);
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal((await download(alice, mxc)).status, 200, 'another event refers to it');
    assert.equal((await download(alice, avatar)).status, 200, 'it is an avatar');
    const before = (await files(hs)).length;
    await redact(second);
    await until(async () => (await download(alice, mxc)).status === 404);
    await until(async () => (await files(hs)).length === before - 2);
    assert.equal((await download(alice, other)).status, 200);
    assert.match(await verify(hs), / 0 orphans, 0 lost/);
    assert.notEqual(third, '');
  });

  it('leaves a file that only others have sent, for it may be of an encrypted room, and one of a pack of pictures', async () => {
    await using hs = await TestServer.start({ config: { media: { tidy: { redacted_delay: '50ms' } } } });
    const [alice, bob] = [await hs.register('alice'), await hs.register('bob')];
    const bytes = randomBytes(1000);
    const [secret, sticker, plain] = [
      await upload(hs, alice, bytes),
      await upload(hs, alice, randomBytes(1000)),
      await upload(hs, alice, randomBytes(1000)),
    ];
    const pack = { images: { wave: { url: sticker } } };
    await alice.request('PUT', `/_matrix/client/v3/user/${alice.userId}/account_data/m.image_pack`, pack);
    const sendAndRedact = async (user: TestUser, urls: readonly string[]): Promise<void> => {
      const room = (await user.request('POST', '/_matrix/client/v3/createRoom', {})).body.room_id;
      for (const [i, url] of urls.entries()) {
        const sent = await user.request('PUT', `/_matrix/client/v3/rooms/${room}/send/m.room.message/s${i}`, { url });
        await user.request('PUT', `/_matrix/client/v3/rooms/${room}/redact/${sent.body.event_id}/r${i}`, {});
      }
    };
    await sendAndRedact(bob, [secret]);
    await sendAndRedact(alice, [sticker, plain]);
    await until(async () => (await download(alice, plain)).status === 404);
    assert.ok((await download(alice, secret)).bytes.equals(bytes));
    assert.equal((await download(alice, sticker)).status, 200);
  });

  it('leaves a file that somebody else has uploaded too', async () => {
    await using hs = await TestServer.start({ config: { media: { tidy: { redacted_delay: '50ms' } } } });
    const [alice, bob] = [await hs.register('alice'), await hs.register('bob')];
    const bytes = randomBytes(1000);
    const [hers, his] = [await upload(hs, alice, bytes), await upload(hs, bob, bytes)];
    const room = (await alice.request('POST', '/_matrix/client/v3/createRoom', {})).body.room_id;
    const sent = await alice.request('PUT', `/_matrix/client/v3/rooms/${room}/send/m.room.message/1`, { url: hers });
    await alice.request('PUT', `/_matrix/client/v3/rooms/${room}/redact/${sent.body.event_id}/2`, {});
    await until(async () => (await download(alice, hers)).status === 404);
    assert.ok((await download(bob, his)).bytes.equals(bytes));
  });
});

describe('media verify', () => {
  it('finds and mends what has no counterpart, while the server runs and when it does not', async () => {
    await using hs = await TestServer.start();
    const alice = await hs.register('alice');
    const whole = await upload(hs, alice, randomBytes(1000));
    const lost = await upload(hs, alice, randomBytes(1000));
    assert.match(await verify(hs), /^2 files, 2 rows; 0 orphans, 0 lost/);
    const lostBytes = (await download(alice, lost)).bytes;
    const lostHash = createHash('sha256').update(lostBytes).digest('hex');
    await rm(path.join(hs.folder, 'media/files', lostHash.slice(0, 2), lostHash));
    const orphan = createHash('sha256').update('orphan').digest('hex');
    await mkdir(path.join(hs.folder, 'media/files', orphan.slice(0, 2)), { recursive: true });
    await writeFile(path.join(hs.folder, 'media/files', orphan.slice(0, 2), orphan), 'orphan');
    assert.equal((await download(alice, lost)).status, 404);
    assert.match(await verify(hs, '--dry-run'), /^2 files, 2 rows; 1 orphans, 1 lost/);
    assert.match(await verify(hs), /1 orphans, 1 lost.*mended/);
    await hs.kill();
    assert.match(await verify(hs), /^1 files, 1 rows; 0 orphans, 0 lost/);
    await hs.restart();
    assert.equal((await download(alice, whole)).status, 200);
  });

  it('finds files with other bytes, keeps those of our users, and goes on where it was broken off', async () => {
    await using hs = await TestServer.start();
    const alice = await hs.register('alice');
    await upload(hs, alice, randomBytes(3_000_000));
    const damaged = await upload(hs, alice, randomBytes(3_000_000));
    const hashOf = createHash('sha256')
      .update((await download(alice, damaged)).bytes)
      .digest('hex');
    const name = path.join(hs.folder, 'media/files', hashOf.slice(0, 2), hashOf);
    const bytes = await readFile(name);
    bytes[1_500_000] = (bytes[1_500_000] ?? 0) ^ 1;
    await writeFile(name, bytes);
    assert.match(await verify(hs), / 0 orphans, 0 lost/);
    const config = path.join(hs.folder, 'config.yaml');
    const hash = async () =>
      (await promisify(execFile)(process.execPath, [MAIN, 'media', 'verify', '--hash', '-c', config])).stdout.split(
        '\n',
      );
    assert.deepEqual((await hash()).slice(0, 2), [`file damaged: ${hashOf}`, '2 files read, 1 damaged.']);
    assert.equal((await download(alice, damaged)).status, 200);

    await writeFile(path.join(hs.folder, 'media/verify-progress'), hashOf);
    const [first = ''] = await hash();
    assert.match(first, /^[01] files read, 0 damaged/);
    assert.equal((await hash())[1], '2 files read, 1 damaged.');
    await hs.kill();
    assert.equal((await hash())[1], '2 files read, 1 damaged.');
  });
});

describe('erasing an account', () => {
  const deactivate = async (user: TestUser, erase: boolean): Promise<void> => {
    const auth = { type: 'm.login.password', identifier: { type: 'm.id.user', user: user.userId } };
    const password = `password-${user.userId.slice(1).split(':')[0]}`;
    const body = { erase, auth: { ...auth, password } };
    const answer = await user.request('POST', '/_matrix/client/v3/account/deactivate', body);
    assert.equal(answer.status, 200, answer.bytes.toString());
  };

  it('deletes what the user has uploaded, and ending it otherwise does not', async () => {
    await using hs = await TestServer.start({ inProcess: true });
    const [alice, bob, carol] = [await hs.register('alice'), await hs.register('bob'), await hs.register('carol')];
    const [hers, his] = [await upload(hs, alice, randomBytes(100)), await upload(hs, bob, randomBytes(100))];
    await deactivate(alice, true);
    await deactivate(bob, false);
    await until(async () => (await download(carol, hers)).status === 404);
    assert.equal((await download(carol, his)).status, 200);
    assert.equal((await files(hs)).length, 1);
  });

  it('leaves the files where the configuration says so', async () => {
    await using hs = await TestServer.start({ inProcess: true, config: { media: { tidy: { erased: false } } } });
    const [alice, carol] = [await hs.register('alice'), await hs.register('carol')];
    const hers = await upload(hs, alice, randomBytes(100));
    await deactivate(alice, true);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal((await download(carol, hers)).status, 200);
  });
});
