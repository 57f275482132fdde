/** A part of the composition root: the rooms with what hangs on them, and sync, which reads them. */
import { z } from 'zod';
import type { Accounts } from './accounts/index.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/index.ts';
import { ToDeviceOutbox } from './delivery/index.ts';
import { Devices } from './devices/index.ts';
import type { Federation } from './federation/index.ts';
import type { RateLimits } from './http/index.ts';
import { type Jobs, job } from './jobs/index.ts';
import { Presence } from './presence/index.ts';
import type { SigningKey } from './protocol/crypto/index.ts';
import type { ServerName, UserId } from './protocol/ids/index.ts';
import type { JsonObject } from './protocol/json/index.ts';
import { Receipts, Rooms, Summaries, SyncSource, Typing, UnreadCounts } from './rooms/index.ts';
import type { Database } from './storage/index.ts';
import { type Hub, MemoryStream, Streams } from './streams/index.ts';
import { presenceExtension, Sync, TYPING_STEP } from './sync/index.ts';
import type { Logger } from './telemetry/log.ts';

/** What the rooms are built on. */
export interface RoomPartsDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly database: Database;
  readonly hub: Hub;
  readonly jobs: Jobs;
  readonly accounts: Accounts;
  readonly rateLimits: RateLimits;
  readonly signingKey: SigningKey;
  readonly federation: Federation | undefined;
  readonly log: Logger;
}

/** The rooms and what serves them to clients. */
export interface RoomParts {
  readonly rooms: Rooms;
  readonly receipts: Receipts;
  readonly unread: UnreadCounts;
  readonly typing: Typing;
  readonly presence: Presence;
  readonly streams: Streams;
  readonly sync: Sync;
  readonly devices: Devices;
  readonly outbox: ToDeviceOutbox;
}

const ROOMS_EXPIRED_EVERY_MS = 24 * 60 * 60 * 1000;
const STICKY_EXPIRED_EVERY_MS = 10 * 60 * 1000;

/** Makes the rooms and sync, and declares the jobs by which accounts reach rooms. */
export function makeRoomParts(deps: RoomPartsDeps): RoomParts {
  const { config, clock, database, hub, jobs, accounts, signingKey, log } = deps;
  const { shadowBans } = accounts;
  const ignoredUsers = (userId: UserId) => accounts.accountData.ignoredUsers(userId);
  const typingStream = new MemoryStream('typing', clock, TYPING_STEP);
  const typing = new Typing({ stream: typingStream, clock, hub, shadowBans });
  const rooms = new Rooms({
    database,
    hub,
    clock,
    serverName: accounts.serverName,
    signingKey,
    defaultVersion: config.rooms.default_version,
    encryptedPresets: config.rooms.encrypted_presets,
    forgetsOnLeave: config.rooms.forget_on_leave,
    accounts: { getProfile: (userId) => accounts.getProfile(userId), ignoredUsers },
    pushRules: accounts.pushRules,
    guests: accounts.users,
    invitePolicy: accounts.invitePolicy,
    shadowBans,
    erasedUsers: accounts.users,
    rates: deps.rateLimits,
    noticesUser: accounts.noticesUser,
    federation: deps.federation,
    partialJoins: config.federation.partial_joins,
    log,
    personalSettings: {
      // A room may claim any other one as its predecessor; it must be named by that one's tombstone too.
      async copy(userId, from, to) {
        const old = await rooms.snapshot(from);
        if (old?.digest.tombstone_replacement === to) await accounts.roomSettings.copy(userId, from, to);
      },
    },
    typing,
  });
  const presence = new Presence({
    database,
    hub,
    clock,
    stream: new MemoryStream('presence', clock),
    isEnabled: config.presence.enabled,
    isLocal: accounts.isLocal.bind(accounts),
    shadowBans,
    onError: (error) => log.warn({ err: error }, 'presence could not be told'),
  });
  const streams = new Streams(database, [typingStream, presence.stream]);
  const unread = new UnreadCounts({ states: rooms.reading.states });
  const receipts = new Receipts({
    database,
    clock,
    hub,
    events: rooms.events,
    unread,
    accountData: accounts.accountData,
    shadowBans,
  });
  const { reading, stateTree, stateKeys } = rooms;
  const source = new SyncSource({
    clock,
    reading,
    stateTree,
    stateKeys,
    receipts,
    unread,
    typing,
    partial: rooms.partial,
    summaries: new Summaries(),
  });
  const outbox = new ToDeviceOutbox();
  const devices = new Devices({
    remote: deps.federation && remoteKeys(deps.federation),
    outbox: deps.federation && outbox,
    database,
    hub,
    clock,
    accounts,
    rooms: {
      async joinedRoomIds(tx, userId) {
        const rows = await source.listRoomsOfUser(tx, userId);
        return rows.filter((row) => row.membership === 'join').map((row) => row.room_id);
      },
      async sharesRoomSince(userId, position) {
        for (const row of await database.read((tx) => source.listRoomsOfUser(tx, userId))) {
          if (row.membership !== 'join' || row.position > position) continue;
          if (await rooms.isResident(row.room_id)) return true;
        }
        return false;
      },
    },
    checksSignatures: config.encryption.check_device_signatures,
    log,
  });
  const sync = new Sync({
    database,
    hub,
    streams,
    clock,
    rooms: source,
    devices,
    extensions: [presenceExtension(presence)],
    accounts: {
      ignoredUsers,
      hidesInvite: (userId, inviter) => accounts.invitePolicy.hidesInvites(userId, inviter),
      accountDataBetween: (tx, userId, from, to) => accounts.accountData.changedBetweenIn(tx, userId, from, to),
      defaultPushRules: (userId) => (accounts.pushRules.isChanged(userId) ? undefined : accounts.pushRules.get(userId)),
    },
  });
  const publisher = {
    joinedRooms: (userId: UserId) => rooms.joinedRooms(userId),
    openMemberships: (userId: UserId) => rooms.openMemberships(userId),
    publishProfile: (...args: Parameters<Rooms['publishProfile']>) => rooms.publishProfile(...args),
    leave: async (...[roomId, userId]: Parameters<Rooms['publishProfile']>) => {
      await rooms.leave({ roomId, userId, isForced: true });
    },
  };
  for (const declared of accounts.jobs(publisher)) jobs.declare(declared);
  jobs.declare(
    job({
      name: 'rooms.delete_expired',
      payload: z.object({}),
      everyMs: ROOMS_EXPIRED_EVERY_MS,
      handle: () => rooms.deleteExpired(),
    }),
    job({
      name: 'rooms.delete_expired_sticky',
      payload: z.object({}),
      everyMs: STICKY_EXPIRED_EVERY_MS,
      handle: () => rooms.deleteExpiredSticky(),
    }),
  );
  return { rooms, receipts, unread, typing, presence, streams, sync, devices, outbox };
}

/** How long users wait for the keys of others. */
const KEYS_TIMEOUT_MS = 10_000;

function remoteKeys({ calls }: Federation) {
  const whole = async (answered: Promise<JsonObject>) => ({ answer: await answered, isWhole: true });
  return {
    query: (server: ServerName, deviceKeys: JsonObject) => whole(calls.queryKeys(server, deviceKeys, KEYS_TIMEOUT_MS)),
    claim: (server: ServerName, oneTimeKeys: JsonObject) =>
      whole(calls.claimKeys(server, oneTimeKeys, KEYS_TIMEOUT_MS)),
  };
}
