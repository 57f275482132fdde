/** How a change of an account reaches the rooms of its user: by background jobs, since there may be thousands of rooms. */
import { z } from 'zod';
import { type Job, type Jobs, job } from '../jobs/index.ts';
import { MatrixError } from '../protocol/errors.ts';
import { parseUserId, type RoomId, type UserId } from '../protocol/ids/index.ts';
import type { WriteTx } from '../storage/index.ts';

/** What we ask of rooms. `rooms` implements it. */
export interface ProfilePublisher {
  joinedRooms(userId: UserId): Promise<readonly RoomId[]>;
  /** Sends the user's membership again with the profile of now, unless it says that already. */
  publishProfile(roomId: RoomId, userId: UserId): Promise<void>;
  /** Rooms that the user is in, invited to, or knocks at. */
  openMemberships(userId: UserId): Promise<readonly RoomId[]>;
  /** Takes a deactivated user out of a room. */
  leave(roomId: RoomId, userId: UserId): Promise<void>;
}

const payload = z.object({ userId: z.string() });

const PROPAGATE = 'profile.propagate';
const LEAVE_ROOMS = 'accounts.leave_rooms';

/** How many rooms are written at once. They share commits, so that many cost little more than one. */
const ROOMS_AT_ONCE_MAX = 32;

/** Makes the user's rooms show the profile of now. Spec: client-server-api/#events-on-change-of-profile-information */
export async function enqueueProfilePropagation(jobs: Jobs, tx: WriteTx, userId: UserId): Promise<void> {
  await jobs.enqueue(tx, PROPAGATE, { userId }, { key: userId });
}

/** Takes the user out of all rooms. */
export async function enqueueLeavingRooms(jobs: Jobs, tx: WriteTx, userId: UserId): Promise<void> {
  await jobs.enqueue(tx, LEAVE_ROOMS, { userId }, { key: userId });
}

/** What these jobs do. They may run twice. */
export function propagationJobs(rooms: ProfilePublisher): readonly Job[] {
  return [
    job({
      name: PROPAGATE,
      payload,
      handle: ({ userId }) => inAllRooms(userId, rooms.joinedRooms.bind(rooms), rooms.publishProfile.bind(rooms)),
    }),
    job({
      name: LEAVE_ROOMS,
      payload,
      handle: ({ userId }) => inAllRooms(userId, rooms.openMemberships.bind(rooms), rooms.leave.bind(rooms)),
    }),
  ];
}

async function inAllRooms(
  user: string,
  list: (userId: UserId) => Promise<readonly RoomId[]>,
  act: (roomId: RoomId, userId: UserId) => Promise<void>,
): Promise<void> {
  const userId = parseUserId(user);
  if (userId === undefined) return;
  const failures: unknown[] = [];
  const rooms = (await list(userId)).values();
  const work = async () => {
    for (const roomId of rooms) {
      await act(roomId, userId).catch((error: unknown) => {
        // A room that refuses (the user was banned meanwhile) will refuse again; anything else is worth another try.
        if (!(error instanceof MatrixError)) failures.push(error);
      });
    }
  };
  await Promise.all(Array.from({ length: ROOMS_AT_ONCE_MAX }, work));
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} rooms could not be reached`);
}
