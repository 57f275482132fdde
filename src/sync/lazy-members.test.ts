import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseDeviceId, parseRoomId, parseUserId } from '../protocol/ids/index.ts';
import { LazyMembers } from './lazy-members.ts';

const userId = parseUserId('@bob:example.org');
const deviceId = parseDeviceId('PHONE');
const roomId = parseRoomId('!room:example.org');
assert.ok(userId && deviceId && roomId);
const viewer = { userId, deviceId };

describe('the members that a device was told of', () => {
  it('are known once the client comes back with the token of that response', () => {
    const members = new LazyMembers();
    members.forRequest(viewer, 's1').tell('s2', [[roomId, userId]]);
    assert.equal(members.forRequest(viewer, 's2').knows(roomId, userId), true);
    assert.equal(members.forRequest(viewer, 's3').knows(roomId, userId), true);
  });

  it('are not known while the client repeats the request whose response was lost', () => {
    const members = new LazyMembers();
    members.forRequest(viewer, 's1').tell('s2', [[roomId, userId]]);
    assert.equal(members.forRequest(viewer, 's1').knows(roomId, userId), false);
  });

  it('are forgotten by an initial sync', () => {
    const members = new LazyMembers();
    members.forRequest(viewer, 's1').tell('s2', [[roomId, userId]]);
    members.forRequest(viewer, 's2');
    assert.equal(members.forRequest(viewer, undefined).knows(roomId, userId), false);
  });
});

describe('a device that goes back to an older token', () => {
  const token = (events: number) => `s${events}_0_0_0_0_0_0_0`;

  it('has forgotten what it was told since, and keeps the rest', () => {
    const carol = parseUserId('@carol:example.org');
    assert.ok(carol);
    const members = new LazyMembers();
    members.forRequest(viewer, token(1)).tell(token(2), [[roomId, userId]]);
    members.forRequest(viewer, token(2)).tell(token(5), [[roomId, carol]]);
    assert.equal(members.forRequest(viewer, token(5)).knows(roomId, carol), true);
    const restored = members.forRequest(viewer, token(3));
    assert.deepEqual([restored.knows(roomId, userId), restored.knows(roomId, carol)], [true, false]);
    assert.equal(members.forRequest(viewer, token(9)).knows(roomId, carol), false);
  });
});
