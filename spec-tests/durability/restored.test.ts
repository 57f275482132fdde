/** Data that were copied, used on, and started again: no one-time key goes out twice. docs/decisions/0030 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { TestServer } from '../../src/testing/test-server.ts';
import type { TestUser } from '../../src/testing/test-user.ts';
import { KeyMaker } from '../client-server/key-maker.ts';

const V3 = '/_matrix/client/v3';
const MAIN = path.join(import.meta.dirname, '../../src/main.ts');

describe('data restored from a copy', () => {
  it('give no one-time key out a second time, and everyone learns of the devices anew', async () => {
    await using server = await TestServer.start();
    const alice = await server.register('alice');
    const bob = await server.register('bob');
    const keys = new KeyMaker(alice);
    const claim = async (): Promise<string[]> => {
      const body = { one_time_keys: { [alice.userId]: { [alice.deviceId]: 'signed_curve25519' } } };
      const { one_time_keys: found } = (await bob.request('POST', `${V3}/keys/claim`, body)).body;
      return Object.keys(found[alice.userId]?.[alice.deviceId] ?? {});
    };
    const upload = (body: object) => alice.request('POST', `${V3}/keys/upload`, body);
    const { body: room } = await alice.request('POST', `${V3}/createRoom`, { preset: 'public_chat' });
    await bob.request('POST', `${V3}/join/${encodeURIComponent(room.room_id)}`, {});
    await upload({
      device_keys: keys.deviceKeys(),
      one_time_keys: keys.oneTimeKeys(3),
      fallback_keys: keys.fallbackKey(),
    });
    const copy = `${server.folder}-copy`;
    await using cleanUp = new AsyncDisposableStack();
    cleanUp.defer(() => rm(copy, { recursive: true, force: true }));

    await server.kill();
    await copyData(server.folder, copy);
    await server.restart();
    const claimed = [...(await claim()), ...(await claim())];
    assert.deepEqual(claimed, ['signed_curve25519:k0', 'signed_curve25519:k1']);
    assert.match((await restored(server)).stderr, /Stop it first/);
    await sendTo(bob, alice, 'lost');
    const since = await tokenOf(alice);
    const bobSince = await tokenOf(bob);

    await server.kill();
    await copyData(copy, server.folder);
    const { code, stdout } = await restored(server);
    assert.equal(code, 0);
    assert.match(stdout, /^3 one-time keys were taken back/);
    await server.restart();
    assert.deepEqual(await claim(), ['signed_curve25519:fallback']);
    const { body: sync } = await alice.request('GET', `${V3}/sync?since=${since}`);
    assert.deepEqual(sync.device_one_time_keys_count, { signed_curve25519: 0 });
    assert.deepEqual(sync.device_unused_fallback_key_types, []);
    const { body: bobSync } = await bob.request('GET', `${V3}/sync?since=${bobSince}`);
    assert.deepEqual(bobSync.device_lists.changed, [alice.userId]);

    // What is sent now comes after what the client had seen before.
    await sendTo(bob, alice, 'new');
    const { body: next } = await alice.request('GET', `${V3}/sync?since=${sync.next_batch}`);
    assert.deepEqual(
      next.to_device.events.map((event: { content: object }) => event.content),
      [{ body: 'new' }],
    );
    await upload({ one_time_keys: keys.oneTimeKeys(1, 'new') });
    assert.deepEqual(await claim(), ['signed_curve25519:new0']);
  });
});

/** Replaces `to`; the socket of commands is no data. */
async function copyData(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await cp(from, to, { recursive: true, filter: (file) => !file.endsWith('.sock') });
}

async function tokenOf(user: TestUser): Promise<string> {
  return (await user.request('GET', `${V3}/sync`)).body.next_batch;
}

function sendTo(sender: TestUser, { userId, deviceId }: TestUser, body: string) {
  const messages = { [userId]: { [deviceId]: { body } } };
  return sender.request('PUT', `${V3}/sendToDevice/m.test/${body}`, { messages });
}

async function restored({ folder }: TestServer) {
  const child = spawn(process.execPath, [MAIN, 'restored', '-c', path.join(folder, 'config.yaml')], { stdio: 'pipe' });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, stdout, stderr };
}
