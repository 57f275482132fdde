import { parseUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import { allowedRoomsOf } from '../join-rules.ts';
import { findMembership } from '../store/index.ts';
import type { WriteDeps } from './deps.ts';
import type { HotRoom } from './hot-room.ts';

/** Whether the conditions of a restricted room are met, and who of us could vouch for it. */
export interface Admission {
  readonly isMet: boolean;
  /** Whether we are in all of the rooms that decide, so that a no is a no. */
  readonly isKnown: boolean;
  authoriserIn(room: HotRoom): UserId | undefined;
}

type AdmissionDeps = Pick<WriteDeps, 'database' | 'hotRooms' | 'serverName' | 'writer'>;

/**
 * Evaluates the conditions of a restricted room for a user. For other rooms the answer isn't asked for.
 * Spec: client-server-api/#restricted-rooms
 */
export async function admissionTo(deps: AdmissionDeps, roomId: RoomId, userId: UserId): Promise<Admission> {
  const authoriserIn = (room: HotRoom) => findAuthoriser(room, deps.serverName);
  const rule = await deps.writer.read(roomId, (room) => {
    const isNeeded = room.membership(userId) !== 'invite' && !room.isJoined(userId);
    return isNeeded ? room.stateEvent('m.room.join_rules', '')?.content : undefined;
  });
  if (rule === undefined) return { isMet: false, isKnown: true, authoriserIn };
  let isKnown = true;
  for (const allowed of allowedRoomsOf(rule)) {
    const room = await deps.hotRooms.find(allowed);
    if (room?.isResident(deps.serverName) !== true) isKnown = false;
    else if (await isJoined(deps, room, userId)) return { isMet: true, isKnown: true, authoriserIn };
  }
  return { isMet: false, isKnown, authoriserIn };
}

async function isJoined(deps: AdmissionDeps, room: HotRoom, userId: UserId): Promise<boolean> {
  const row = await deps.database.read((tx) => findMembership(tx, userId, room.roomNid));
  return row?.membership === 'join';
}

/** A joined user of this server who may invite: those with a level of their own first, then any member. */
function findAuthoriser(room: HotRoom, serverName: ServerName): UserId | undefined {
  const power = room.power();
  const maybe = (user: string): UserId | undefined => {
    const userId = parseUserId(user);
    if (userId === undefined || serverNameOf(userId) !== serverName || !room.isJoined(userId)) return undefined;
    return power.users(userId) >= power.invite ? userId : undefined;
  };
  for (const user of room.usersWithPower()) {
    const found = maybe(user);
    if (found !== undefined) return found;
  }
  for (const [userId] of room.members.entries()) {
    const found = maybe(userId);
    if (found !== undefined) return found;
  }
  return undefined;
}
