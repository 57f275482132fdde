import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseRoomId } from '../../protocol/ids/index.ts';
import { Hub, MemoryStream } from '../../streams/index.ts';
import { testUser } from '../../testing/room-builder.ts';
import { Typing } from './typing.ts';

const roomId = parseRoomId('!room:example.org');
assert.ok(roomId);
const alice = testUser('alice');
const bob = testUser('bob');

function setUp() {
  let now = 1_000_000;
  const clock = { now: () => now };
  const hub = new Hub();
  const stream = new MemoryStream('typing', clock);
  const typing = new Typing({ stream, clock, hub });
  const news: unknown[] = [];
  hub.listen(`room:${roomId}`, (payload) => news.push(payload));
  return { typing, stream, news, pass: (ms: number) => (now += ms) };
}

describe('typing', () => {
  it('tells who types in a room, once for each change', () => {
    const { typing, stream, news } = setUp();
    using _ = typing;
    const start = stream.current;
    assert.equal(typing.inRoom(roomId), undefined);
    typing.start(roomId, alice, 30_000);
    typing.start(roomId, alice, 30_000);
    assert.equal(news.length, 1);
    typing.start(roomId, bob, 30_000);
    typing.stop(roomId, alice);
    typing.stop(roomId, alice);
    assert.equal(news.length, 3);
    assert.deepEqual(news.at(-1), { stream: 'typing', roomId, position: stream.current });
    assert.deepEqual(typing.inRoom(roomId)?.userIds, [bob]);
    assert.equal(typing.changedSince(roomId, start), `{"type":"m.typing","content":{"user_ids":["${bob}"]}}`);
    assert.equal(typing.changedSince(roomId, stream.current), undefined);
  });

  it('ends when its time has run out, unless it was renewed', () => {
    const { typing, news, pass } = setUp();
    using _ = typing;
    typing.start(roomId, alice, 10_000);
    typing.start(roomId, bob, 10_000);
    pass(9_000);
    typing.start(roomId, bob, 10_000);
    typing.sweep();
    assert.equal(news.length, 2);
    pass(1_000);
    typing.sweep();
    assert.deepEqual(typing.inRoom(roomId)?.userIds, [bob]);
    pass(9_000);
    typing.sweep();
    assert.deepEqual(typing.inRoom(roomId)?.userIds, []);
    assert.equal(news.length, 4);
  });

  it('keeps to its bounds for times and for users in a room', () => {
    const { typing, pass } = setUp();
    using _ = typing;
    typing.start(roomId, alice, 1e12);
    for (let index = 0; index < 200; index++) typing.start(roomId, testUser(`u${index}`), 0);
    assert.equal(typing.inRoom(roomId)?.userIds.length, 100);
    pass(1_000);
    typing.sweep();
    assert.deepEqual(typing.inRoom(roomId)?.userIds, [alice]);
    pass(120_000);
    typing.sweep();
    assert.deepEqual(typing.inRoom(roomId)?.userIds, []);
  });
});
