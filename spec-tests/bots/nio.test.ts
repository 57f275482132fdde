/** A bot in Python (matrix-nio) and people on matrix-js-sdk, talking encrypted with each other. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Preset } from 'matrix-js-sdk';
import { TestServer } from '../../src/testing/test-server.ts';
import { CryptoDevice } from '../sdk/crypto-user.ts';
import { releaseLongTimers } from '../sdk/long-timers.ts';
import { eventually } from '../sdk/sdk-user.ts';
import { findPython } from './python.ts';

const found = await findPython();

describe('a bot on matrix-nio', { skip: 'missing' in found && found.missing }, () => {
  let server: TestServer;
  let alice: CryptoDevice;
  let bot: ChildProcess | undefined;
  let store = '';
  let roomId = '';
  let said = '';

  before(async () => {
    releaseLongTimers();
    server = await TestServer.start();
    store = await mkdtemp(path.join(tmpdir(), 'inglenook-bot-'));
    alice = await CryptoDevice.register(server.baseUrl, 'alice');
    await alice.setUp();
    const { userId } = await server.register('bot');
    if ('missing' in found) return;
    const args = [path.join(import.meta.dirname, 'echo_bot.py'), server.baseUrl, userId, 'password-bot', store];
    bot = spawn(found.python, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [bot.stdout, bot.stderr]) stream?.on('data', (text: Buffer) => (said += text.toString()));
    await eventually('the bot is ready', () => said.includes('ready') || undefined);
    const room = await alice.client.createRoom({
      preset: Preset.PrivateChat,
      invite: [userId],
      initial_state: [{ type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
    });
    roomId = room.room_id;
    await eventually('the bot joins', () => alice.client.getRoom(roomId)?.getJoinedMemberCount() === 2);
  });
  after(async () => {
    if (bot !== undefined && bot.exitCode === null) {
      bot.kill();
      await once(bot, 'exit');
    }
    alice.stop();
    await server[Symbol.asyncDispose]();
    await rm(store, { recursive: true, force: true });
  });

  /** Says something; resolves when the device has read the bot's answer, which must have been encrypted. */
  const talk = async (author: CryptoDevice, body: string, reader = author) => {
    await author.say(roomId, body);
    const echo = await eventually(`the bot repeats ${body}`, () =>
      reader.client
        .getRoom(roomId)
        ?.getLiveTimeline()
        .getEvents()
        .find((event) => event.getContent().body === `echo: ${body}`),
    );
    assert.equal(echo.getWireType(), 'm.room.encrypted');
    assert.equal(echo.getSender(), '@bot:example.org');
  };

  it('reads what is said encrypted and answers encrypted', async () => {
    for (const body of ['one', 'two', 'three']) await talk(alice, body);
  });

  it('writes to a new device too, and reads it', async () => {
    const phone = await alice.another();
    try {
      await eventually('the phone is in the room', () => phone.client.getRoom(roomId) ?? undefined);
      await talk(phone, 'from the phone');
      await talk(alice, 'from the laptop', phone);
    } finally {
      phone.stop();
    }
  });

  it('goes on after the server was killed', async () => {
    await server.kill();
    await server.restart();
    await talk(alice, 'after the crash');
    assert.ok(!said.includes("can't decrypt"), said);
  });
});
