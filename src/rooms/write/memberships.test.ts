import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { RoomId, UserId } from '../../protocol/ids/index.ts';
import { forEachDatabase } from '../../testing/databases.ts';
import type { RoomsDeps } from '../rooms-deps.ts';
import type { InitialState } from './create-room.ts';
import { ALICE, BOB, CAROL, openRooms, user } from './testing.ts';

const joinRule = (content: InitialState['content']): InitialState[] => [
  { type: 'm.room.join_rules', stateKey: '', content },
];

forEachDatabase((_dialect, open) => {
  async function room(
    options: Parameters<Awaited<ReturnType<typeof openRooms>>['rooms']['create']>[1] = {},
    deps: Partial<RoomsDeps> = {},
  ) {
    const fixture = await openRooms(open, deps);
    const roomId = await fixture.rooms.create(ALICE, options);
    const membership = async (userId: UserId) => (await fixture.rooms.snapshot(roomId))?.membershipOf(userId);
    const counts = async () => {
      const snapshot = await fixture.rooms.snapshot(roomId);
      return [snapshot?.joinedCount, snapshot?.invitedCount];
    };
    return { ...fixture, roomId, membership, counts };
  }

  it('lets in who is invited, and nobody else', async () => {
    const { rooms, roomId, counts } = await room();
    await assert.rejects(rooms.join({ roomId, userId: BOB }), { errcode: 'M_FORBIDDEN' });
    await rooms.invite({ roomId, sender: ALICE, target: BOB });
    assert.deepEqual(await counts(), [1, 1]);
    const joined = await rooms.join({ roomId, userId: BOB });
    assert.equal(await rooms.join({ roomId, userId: BOB }), joined);
    assert.deepEqual(await counts(), [2, 0]);
  });

  it('does not know a room that is not there', async () => {
    const { rooms } = await room();
    const roomId = '!nowhere:test.example' as RoomId;
    await assert.rejects(rooms.join({ roomId, userId: BOB }), { errcode: 'M_NOT_FOUND' });
    await assert.rejects(rooms.knock({ roomId, userId: BOB }), { errcode: 'M_NOT_FOUND' });
    await assert.rejects(rooms.leave({ roomId, userId: BOB }), { errcode: 'M_FORBIDDEN' });
  });

  it('puts the profile into the member event', async () => {
    const accounts = {
      getProfile: async (userId: UserId) => ({ displayname: `name of ${userId}`, avatarUrl: undefined }),
      ignoredUsers: async () => new Set<UserId>(),
    };
    const { rooms, roomId, timeline } = await room({ invite: [BOB] }, { accounts });
    await rooms.join({ roomId, userId: BOB, reason: 'why not' });
    const last = (await timeline(roomId)).at(-1);
    assert.deepEqual(last?.event.content, { membership: 'join', displayname: `name of ${BOB}`, reason: 'why not' });
  });

  it('publishes a changed profile, and none that is the same', async () => {
    let displayname: string | undefined = 'one';
    const accounts = {
      getProfile: async () => ({ displayname, avatarUrl: undefined }),
      ignoredUsers: async () => new Set<UserId>(),
    };
    const { rooms, roomId, timeline } = await room({}, { accounts });
    const before = (await timeline(roomId)).length;
    await rooms.publishProfile(roomId, ALICE);
    assert.equal((await timeline(roomId)).length, before);
    displayname = undefined;
    await rooms.publishProfile(roomId, ALICE);
    assert.deepEqual((await timeline(roomId)).at(-1)?.event.content, { membership: 'join' });
    await assert.rejects(rooms.publishProfile(roomId, BOB), { errcode: 'M_FORBIDDEN' });
  });

  it('kicks, bans and lifts bans by those with the power only', async () => {
    const { rooms, roomId, membership } = await room({ preset: 'public_chat' });
    for (const userId of [BOB, CAROL]) await rooms.join({ roomId, userId });
    const byBob = { roomId, sender: BOB, target: CAROL };
    const byAlice = { roomId, sender: ALICE, target: CAROL };
    await assert.rejects(rooms.kick(byBob), { errcode: 'M_FORBIDDEN' });
    await assert.rejects(rooms.ban(byBob), { errcode: 'M_FORBIDDEN' });
    await rooms.kick(byAlice);
    assert.equal(await membership(CAROL), 'leave');
    await assert.rejects(rooms.kick(byAlice), { errcode: 'M_FORBIDDEN' });
    await assert.rejects(rooms.unban(byAlice), { errcode: 'M_BAD_STATE' });
    await assert.rejects(rooms.unban(byBob), { errcode: 'M_FORBIDDEN' });
    await rooms.ban(byAlice);
    await assert.rejects(rooms.join({ roomId, userId: CAROL }), { errcode: 'M_FORBIDDEN' });
    await assert.rejects(rooms.invite(byAlice), { errcode: 'M_FORBIDDEN' });
    await assert.rejects(rooms.unban(byBob), { errcode: 'M_FORBIDDEN' });
    await rooms.unban(byAlice);
    await rooms.join({ roomId, userId: CAROL });
  });

  it('takes knocks where the room asks for them', async () => {
    const { rooms, roomId, membership } = await room({ initialState: joinRule({ join_rule: 'knock' }) });
    await rooms.knock({ roomId, userId: BOB, reason: 'please' });
    await assert.rejects(rooms.join({ roomId, userId: BOB }), { errcode: 'M_FORBIDDEN' });
    await rooms.invite({ roomId, sender: ALICE, target: BOB });
    await rooms.join({ roomId, userId: BOB });
    await rooms.knock({ roomId, userId: CAROL });
    await rooms.leave({ roomId, userId: CAROL });
    assert.equal(await membership(CAROL), 'leave');
    const closed = await rooms.create(ALICE, {});
    await assert.rejects(rooms.knock({ roomId: closed, userId: BOB }), { errcode: 'M_FORBIDDEN' });
  });

  it('lets members of another room into a restricted one', async () => {
    for (const roomVersion of ['8', '9', '10', '11', '12']) {
      const { rooms } = await openRooms(open);
      const hall = await rooms.create(ALICE, { roomVersion, preset: 'public_chat' });
      const rule = { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: hall }] };
      const roomId = await rooms.create(ALICE, { roomVersion, initialState: joinRule(rule) });
      await assert.rejects(rooms.join({ roomId, userId: BOB }), { errcode: 'M_FORBIDDEN' });
      await rooms.join({ roomId: hall, userId: BOB });
      await rooms.join({ roomId, userId: BOB });
      const snapshot = await rooms.snapshot(roomId);
      assert.equal(snapshot?.membershipOf(BOB), 'join');
    }
  });

  it('lets guests in only where they may, and puts them out when they no longer may', async () => {
    const guest = user('guest');
    const guests = { guestsAmong: async (users: readonly UserId[]) => users.filter((userId) => userId === guest) };
    const { rooms, roomId, membership } = await room({ preset: 'public_chat' }, { guests });
    const asGuest = { roomId, userId: guest, isGuest: true };
    await assert.rejects(rooms.join(asGuest), { errcode: 'M_GUEST_ACCESS_FORBIDDEN' });
    const access = { roomId, sender: ALICE, type: 'm.room.guest_access', stateKey: '' };
    await rooms.setState({ ...access, content: { guest_access: 'can_join' } });
    await rooms.join(asGuest);
    await rooms.join({ roomId, userId: BOB });
    await rooms.setState({ ...access, content: { guest_access: 'forbidden' } });
    assert.equal(await membership(guest), 'leave');
    assert.equal(await membership(BOB), 'join');
  });

  it('does not invite those who want no invites', async () => {
    const invitePolicy = { blocksInvites: async (invitee: UserId) => invitee === BOB };
    const { rooms, roomId } = await room({}, { invitePolicy });
    const toBob = { roomId, sender: ALICE, target: BOB };
    await assert.rejects(rooms.invite(toBob), { errcode: 'M_INVITE_BLOCKED' });
    await assert.rejects(rooms.create(ALICE, { invite: [BOB] }), { errcode: 'M_INVITE_BLOCKED' });
    const set = { roomId, sender: ALICE, type: 'm.room.member', stateKey: BOB, content: { membership: 'invite' } };
    await assert.rejects(rooms.setState(set), { errcode: 'M_INVITE_BLOCKED' });
    await rooms.invite({ ...toBob, target: CAROL });
  });

  it('forgets a room that was left, until the user is back', async () => {
    const { rooms, roomId, database } = await room({ invite: [BOB] });
    await assert.rejects(rooms.forget(roomId, BOB), { errcode: 'M_UNKNOWN' });
    await assert.rejects(rooms.forget(roomId, CAROL), { errcode: 'M_NOT_FOUND' });
    await rooms.leave({ roomId, userId: BOB });
    await rooms.forget(roomId, BOB);
    const forgotten = () =>
      database.read((tx) =>
        tx.db.selectFrom('memberships').select('forgotten').where('user_id', '=', BOB).executeTakeFirstOrThrow(),
      );
    assert.deepEqual(await forgotten(), { forgotten: 1 });
    await rooms.invite({ roomId, sender: ALICE, target: BOB });
    assert.deepEqual(await forgotten(), { forgotten: 0 });
  });

  it('survives joins, kicks and leaves at once with counts that are right', async () => {
    const { rooms, roomId, counts, database } = await room({ preset: 'public_chat' });
    const users = Array.from({ length: 30 }, (_, n) => user(`u${n}`));
    await Promise.all(users.map((userId) => rooms.join({ roomId, userId })));
    assert.deepEqual(await counts(), [31, 0]);
    const outcomes = await Promise.allSettled(
      users.flatMap((userId) => [
        rooms.kick({ roomId, sender: ALICE, target: userId }),
        rooms.leave({ roomId, userId }),
        rooms.join({ roomId, userId }),
        rooms.publishProfile(roomId, userId),
      ]),
    );
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') assert.equal(outcome.reason.errcode, 'M_FORBIDDEN');
    }
    const snapshot = await rooms.snapshot(roomId);
    const joined = [...(snapshot?.members() ?? [])].filter(([, membership]) => membership === 'join').length;
    assert.equal((await counts())[0], joined);
    const rows = await database.read((tx) =>
      tx.db.selectFrom('memberships').select('user_id').where('membership', '=', 'join').execute(),
    );
    assert.equal(rows.length, joined);
    const row = await database.read((tx) => tx.db.selectFrom('rooms').select('joined_count').executeTakeFirstOrThrow());
    assert.equal(row.joined_count, joined);
  });

  it('upgrades a room from every version to the newest, and back', async () => {
    for (const [from, to] of [
      ['1', '12'],
      ['6', '10'],
      ['11', '12'],
      ['12', '11'],
      ['12', '12'],
    ] as const) {
      const copied: string[] = [];
      const personalSettings = {
        copy: async (userId: UserId, before: RoomId, after: RoomId) => void copied.push(`${userId} ${before} ${after}`),
      };
      const { rooms, roomId, timeline } = await room(
        {
          roomVersion: from,
          preset: 'public_chat',
          name: 'N',
          topic: 'T',
          aliasLocalpart: 'old',
          visibility: 'public',
        },
        { personalSettings },
      );
      await rooms.join({ roomId, userId: BOB });
      await rooms.ban({ roomId, sender: ALICE, target: CAROL });
      await assert.rejects(rooms.upgrade({ roomId, sender: BOB, newVersion: to }), { errcode: 'M_FORBIDDEN' });
      const unknown = rooms.upgrade({ roomId, sender: ALICE, newVersion: 'x' });
      await assert.rejects(unknown, { errcode: 'M_UNSUPPORTED_ROOM_VERSION' });
      const upgrading = rooms.upgrade({ roomId, sender: ALICE, newVersion: to, additionalCreators: [BOB] });
      await assert.rejects(rooms.upgrade({ roomId, sender: ALICE, newVersion: to }), { errcode: 'M_BAD_STATE' });
      const replacement = await upgrading;

      const old = await rooms.snapshot(roomId);
      const next = await rooms.snapshot(replacement);
      assert.equal(old?.digest.tombstone_replacement, replacement);
      assert.equal(old?.digest.canonical_alias, null);
      assert.equal(next?.digest.name, 'N');
      assert.equal(next?.digest.topic, 'T');
      assert.equal(next?.digest.join_rule, 'public');
      assert.equal(next?.digest.canonical_alias, '#old:test.example');
      assert.equal(next?.membershipOf(CAROL), 'ban');
      assert.equal(next?.membershipOf(BOB), undefined);
      assert.equal(await rooms.aliases.isPublic(replacement), true);
      assert.equal(await rooms.aliases.isPublic(roomId), false);
      assert.equal((await rooms.aliases.resolve(rooms.aliases.ofLocalpart('old'))).roomId, replacement);
      const create = (await timeline(replacement))[0]?.event.content;
      assert.equal(create?.room_version, to);
      assert.deepEqual(create?.additional_creators, to === '12' ? [BOB] : undefined);
      const message = { roomId, sender: BOB, type: 'm.room.message', content: {} };
      await assert.rejects(rooms.send(message), { errcode: 'M_FORBIDDEN' });
      await rooms.join({ roomId: replacement, userId: BOB });
      await rooms.send({ ...message, roomId: replacement });
      await rooms.setState({ roomId: replacement, sender: ALICE, type: 'm.room.name', stateKey: '', content: {} });
      assert.deepEqual(copied, [`${ALICE} ${roomId} ${replacement}`, `${BOB} ${roomId} ${replacement}`]);
    }
  });
});
