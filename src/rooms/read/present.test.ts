import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseDeviceId, type UserId } from '../../protocol/ids/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import { testUser } from '../../testing/room-builder.ts';
import { StoredRooms } from '../../testing/stored-room.ts';
import type { StoredEvent } from '../store/index.ts';
import type { EventFormat } from './present.ts';
import { RoomSight } from './visibility.ts';

const clock = { now: () => 1_700_000_500_000 };
const alice = testUser('alice');
const bob = testUser('bob');

async function presentTo(
  rooms: StoredRooms,
  events: readonly StoredEvent[],
  userId: UserId,
  device = 'DEVICE',
  format?: EventFormat,
) {
  const deviceId = parseDeviceId(device);
  const { presenter, states } = rooms.reading;
  return rooms.database.read(async (tx) => {
    const sight = new RoomSight(states, userId, { kind: 'joined' });
    const json = await presenter.present(tx, events, { userId, deviceId }, { sight, ...(format && { format }) });
    return json.map((one) => JSON.parse(one));
  });
}

forEachDatabase((_, open) => {
  it('presents an event with its age and the membership of who looks', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const stored = await room.send('alice', 'Hi');
    const [event] = await presentTo(rooms, [stored], bob);
    assert.deepEqual(event, {
      content: { body: 'Hi', msgtype: 'm.text' },
      event_id: stored.event.eventId,
      origin_server_ts: stored.event.originServerTs,
      room_id: room.builder.roomId,
      sender: alice,
      type: 'm.room.message',
      unsigned: { age: clock.now() - stored.event.originServerTs, membership: 'leave' },
    });
  });

  it('leaves out room_id where the answer is keyed by room, and nothing else', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const field = `,"room_id":"${room.builder.roomId}"`;
    const stored = await room.store(
      room.builder.add({
        type: field,
        sender: 'alice',
        stateKey: field,
        content: { body: field, room_id: room.builder.roomId },
      }),
    );
    const [full] = await presentTo(rooms, [stored], alice);
    const [inRoom] = await presentTo(rooms, [stored], alice, 'DEVICE', 'inRoom');
    const { room_id: roomId, ...rest } = full;
    assert.equal(roomId, room.builder.roomId);
    assert.deepEqual(inRoom, rest);
  });

  it('tells the transaction id to the device that sent the event, and to no other', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const stored = await room.send('alice', 'Hi', { txn: 'DEVICE\0txn "1"' });
    const idFor = async (userId: UserId, device: string) =>
      (await presentTo(rooms, [stored], userId, device))[0].unsigned.transaction_id;
    assert.equal(await idFor(alice, 'DEVICE'), 'txn "1"');
    assert.equal(await idFor(alice, 'OTHER'), undefined);
    assert.equal(await idFor(bob, 'DEVICE'), undefined);
  });

  it('says what a state event replaced, and its content to those who may see it', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    await room.setVisibility('joined');
    const first = await room.setState('alice', 'm.room.topic', { topic: 'First' });
    await room.store(room.builder.join('bob'));
    const second = await room.setState('alice', 'm.room.topic', { topic: 'Second' });
    const [seenByAlice] = await presentTo(rooms, [second], alice);
    assert.deepEqual(seenByAlice.unsigned.prev_content, { topic: 'First' });
    assert.equal(seenByAlice.unsigned.replaces_state, first.event.eventId);
    const [seenByBob] = await presentTo(rooms, [second], bob);
    assert.equal('prev_content' in seenByBob.unsigned, false);
    assert.equal(seenByBob.unsigned.replaces_state, first.event.eventId);
    const [firstSeen] = await presentTo(rooms, [first], alice);
    assert.equal('replaces_state' in firstSeen.unsigned, false);
  });

  it('shows redacted events with the redaction, also where they are the previous content', async () => {
    const rooms = await StoredRooms.open(open, clock);
    const room = await rooms.createRoom();
    const first = await room.setState('alice', 'm.room.topic', { topic: 'Secret' });
    const second = await room.setState('alice', 'm.room.topic', { topic: 'Second' });
    const [before] = await presentTo(rooms, [second], alice);
    assert.deepEqual(before.unsigned.prev_content, { topic: 'Secret' });
    const redaction = await room.redact(first);
    const [redacted] = await rooms.database.read((tx) => rooms.reading.events.byNids(tx, [first.nid]));
    assert.ok(redacted);
    const [event, after] = await presentTo(rooms, [redacted, second], alice);
    assert.deepEqual(event.content, {});
    assert.equal(event.unsigned.redacted_because.event_id, redaction.event.eventId);
    assert.equal(event.unsigned.redacted_because.redacts, first.event.eventId);
    assert.deepEqual(after.unsigned.prev_content, {});
  });
});
