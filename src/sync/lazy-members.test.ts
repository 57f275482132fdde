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
