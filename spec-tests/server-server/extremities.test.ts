/** A room's graph is kept narrow. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Chance } from '../fuzz/chance.ts';
import { CREATOR, RandomRoom } from '../fuzz/random-room.ts';
import { openReceivers } from '../fuzz/receiver.ts';

const BRANCHES = 35;
const EXTREMITIES_MAX = 10;

describe('the extremities of a room', () => {
  it('are brought together when there are more than ten, by an event that no timeline has', async () => {
    await using open = await openReceivers();
    const chance = new Chance(1);
    const room = new RandomRoom('11', 'branches', chance);
    const [receiver] = open.receivers;
    assert(receiver);
    await receiver.join(room);
    const from = room.heads;
    for (let branch = 0; branch < BRANCHES; branch++) {
      const content = { body: `branch ${branch}` };
      room.add(room.builder.build({ type: 'm.room.message', sender: CREATOR, content, prevEvents: from }));
    }
    await receiver.feed(room, room.events.slice(-BRANCHES), chance);
    const extremities = await receiver.extremities(room.builder.roomId);
    assert.ok(extremities.length <= EXTREMITIES_MAX, `${extremities.length} extremities`);
    const types = await receiver.timelineTypes(room.builder.roomId);
    assert.equal(types.filter((type) => type === 'm.room.message').length, BRANCHES);
    assert.ok(!types.includes('org.matrix.dummy_event'));
  });
});
