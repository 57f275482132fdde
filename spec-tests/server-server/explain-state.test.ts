/** `inglenook room explain-state` says what won in a fork and why. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { network } from '../../src/testing/network.ts';
import { act, createRoom, eventually, join, membership, send, setState, texts } from '../../src/testing/room-client.ts';

const MAIN = path.join(import.meta.dirname, '../../src/main.ts');
const run = promisify(execFile);

describe('inglenook room explain-state', () => {
  it('names the conflict, the rule that refused a candidate, and the result', async () => {
    await using net = await network(2);
    const [one, two] = net.servers;
    const alice = await one.server.register('alice');
    const bob = await two.server.register('bob');
    const roomId = await createRoom(alice, { power_level_content_override: { events: { 'm.room.topic': 0 } } });
    await join(bob, roomId, one.name);
    await eventually(
      () => membership(alice, roomId, bob.userId),
      (is) => is === 'join',
    );
    net.between(one, two).cut();
    await act(alice, roomId, 'ban', bob.userId);
    await setState(bob, roomId, 'm.room.topic', { topic: 'of somebody who is banned elsewhere' });
    net.between(one, two).heal();
    await eventually(
      () => membership(bob, roomId, bob.userId),
      (is) => is === 'ban',
    );
    const { stdout } = await run(process.execPath, [
      MAIN,
      'room',
      'explain-state',
      roomId,
      '-c',
      configOf(two.server.folder),
    ]);
    assert.match(stdout, /^the current state of /);
    assert.match(stdout, /conflict: m\.room\.topic ""/);
    assert.match(stdout, /by power events: m\.room\.member "@bob:.*allowed/);
    assert.match(stdout, /by mainline: m\.room\.topic "" .* refused by rule ".+": /);
    assert.match(stdout, /result: m\.room\.topic "" nothing/);
    await send(alice, roomId, 'still here');
    assert.ok((await texts(alice, roomId)).includes('still here'));
  });
});

function configOf(folder: string): string {
  return path.join(folder, 'config.yaml');
}
