import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseServerName, parseUserId, type ServerName, type UserId } from '../../protocol/ids/index.ts';
import type { Membership } from '../store/index.ts';
import { RoomMembers } from './room-members.ts';

describe('the members of a hot room', () => {
  const user = (id: string): UserId => parseUserId(id) ?? assert.fail(id);
  const server = (name: string): ServerName => parseServerName(name) ?? assert.fail(name);
  const entry = (membership: Membership) => ({ membership });
  const [one, two] = [server('one.example'), server('two.example')];

  it('counts who is joined by server, ahead of the commit', () => {
    const members = new RoomMembers();
    const joined = entry('join');
    members.set(user('@a:one.example'), joined);
    assert.equal(members.joinedOf(one), 1);
    members.commit(user('@a:one.example'), joined);
    assert.equal(members.joinedOf(one), 1);
    members.commit(user('@b:two.example'), entry('join'));
    members.commit(user('@c:two.example'), entry('join'));
    members.set(user('@b:two.example'), entry('leave'));
    assert.equal(members.joinedOf(two), 1);
    assert.deepEqual([...members.residents()], [one, two]);
    members.set(user('@c:two.example'), entry('ban'));
    assert.deepEqual([...members.residents()], [one]);
  });

  it('remembers servers whose users are gone', () => {
    const members = new RoomMembers();
    assert.ok(members.areAllOf(one));
    members.set(user('@a:one.example'), entry('join'));
    assert.ok(members.areAllOf(one));
    members.set(user('@b:two.example'), entry('leave'));
    assert.ok(!members.areAllOf(one));
  });

  it('counts a commit that turns what was decided after it', () => {
    const members = new RoomMembers();
    const a = user('@a:one.example');
    const [first, second] = [entry('join'), entry('leave')];
    members.set(a, first);
    members.set(a, second);
    assert.equal(members.joinedOf(one), 0);
    members.commit(a, first);
    assert.equal(members.joinedOf(one), 0);
    members.commit(a, second);
    assert.equal(members.joinedOf(one), 0);
    members.commit(a, entry('join'));
    assert.equal(members.joinedOf(one), 1);
  });
});
