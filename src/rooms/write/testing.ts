/** What tests of writing into rooms start from: rooms on a real database, and a few users. */

import { generateSigningKey } from '../../protocol/crypto/index.ts';
import { parseServerName, parseUserId, type RoomId, type UserId } from '../../protocol/ids/index.ts';
import { DEFAULT_ROOM_VERSION } from '../../protocol/room-versions/index.ts';
import type { Database } from '../../storage/index.ts';
import { Hub } from '../../streams/index.ts';
import type { OpenTestDatabase } from '../../testing/databases.ts';
import { Rooms } from '../rooms.ts';
import type { RoomsDeps } from '../rooms-deps.ts';
import { eventsStream, roomsMigrations, type StoredEvent } from '../store/index.ts';

const serverName = parseServerName('test.example');
if (serverName === undefined) throw new Error('the name of the test server is one');
export const SERVER_NAME = serverName;

/** `@name:test.example`. */
export function user(name: string): UserId {
  const userId = parseUserId(`@${name}:${SERVER_NAME}`);
  if (userId === undefined) throw new Error(`${name} makes no user id`);
  return userId;
}

export const ALICE = user('alice');
export const BOB = user('bob');
export const CAROL = user('carol');

/** Rooms on a database, with a clock that stands until it is set. */
export interface RoomsFixture {
  readonly rooms: Rooms;
  readonly database: Database;
  readonly hub: Hub;
  readonly clock: { now(): number; set(now: number): void };
  /** All live events of a room in order. */
  timeline(roomId: RoomId): Promise<readonly StoredEvent[]>;
}

/** Opens rooms on a new database, or on one that is open. */
export async function openRooms(
  open: OpenTestDatabase | Database,
  overrides: Partial<RoomsDeps> = {},
): Promise<RoomsFixture> {
  let now = 1_700_000_000_000;
  const clock = {
    now: () => now,
    set: (to: number) => {
      now = to;
    },
  };
  const database = typeof open === 'function' ? await open(roomsMigrations, { streams: [eventsStream] }) : open;
  const hub = new Hub();
  const rooms = new Rooms({
    database,
    hub,
    clock,
    serverName: SERVER_NAME,
    signingKey: generateSigningKey('test', new Uint8Array(32).fill(7)),
    defaultVersion: DEFAULT_ROOM_VERSION,
    accounts: { getProfile: async () => undefined, ignoredUsers: async () => new Set() },
    ...overrides,
  });
  const timeline = async (roomId: RoomId) => {
    const snapshot = await rooms.snapshot(roomId);
    if (snapshot === undefined) return [];
    const range = { from: 0, dir: 'f', limit: 10_000 } as const;
    return database.read((tx) => rooms.events.inRoom(tx, snapshot.roomNid, range));
  };
  return { rooms, database, hub, clock, timeline };
}
