/** We or a Synapse are killed while the other writes: nothing is lost, whoever comes back first. */
import { after, before, describe, it } from 'node:test';
import { createRoom, eventually, join, send, setState, stateContent, texts } from '../../src/testing/room-client.ts';
import { arrived, type Pair, type Side, startPair } from './pair.ts';

const MISSED = 60;

describe('over crashes, with a Synapse', () => {
  let pair: Pair;
  let ours: Side;
  let theirs: Side;

  before(async () => {
    pair = await startPair();
    ({ ours, theirs } = pair);
  });

  after(() => pair[Symbol.asyncDispose]());

  for (const [who, sides] of [
    ['them', () => [ours, theirs]],
    ['us', () => [theirs, ours]],
  ] as const) {
    it(`brings everything to ${who} who were killed, and what they wrote before`, async () => {
      const [other, killed] = sides();
      if (other === undefined || killed === undefined) throw new Error('both are there');
      const roomId = await createRoom(other.user);
      const second = await createRoom(killed.user);
      await join(killed.user, roomId, other.name);
      await join(other.user, second, killed.name);
      await arrived(other.user, roomId, killed.user.userId);
      await arrived(killed.user, second, other.user.userId);
      const wanted: string[] = [];
      const say = async (by: Side, room: string, text: string) => {
        wanted.push(text);
        await send(by.user, room, text);
      };
      // What was answered with 200 is to arrive, though the server falls before it could send it.
      for (let index = 0; index < 5; index++) await say(killed, roomId, `last words ${index}`);
      await killed.kill();
      for (let index = 0; index < MISSED; index++) await say(other, roomId, `missed ${index}`);
      await say(other, second, 'in the other room');
      await setState(other.user, roomId, 'm.room.topic', { topic: 'changed meanwhile' });
      await killed.run();
      await say(killed, roomId, 'back again');
      for (const side of [other, killed]) {
        await eventually(
          async () => [...(await texts(side.user, roomId)), ...(await texts(side.user, second))],
          (all) => wanted.every((text) => all.includes(text)),
        );
      }
      await eventually(
        () => stateContent(killed.user, roomId, 'm.room.topic'),
        ({ topic }) => topic === 'changed meanwhile',
      );
    });
  }
});
