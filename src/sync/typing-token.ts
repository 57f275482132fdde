/**
 * What a token says of typing. Typing is in memory: after a restart nobody types, and clients must be told so where they saw
 * somebody type. So positions in the stream 'typing' are even, and a token has the odd one after it where somebody typed.
 */
import type { Streams } from '../streams/index.ts';
import type { OnlineUser } from './online-user.ts';
import type { SyncRooms } from './ports.ts';

/** The positions of the stream 'typing' are multiples of this. */
export const TYPING_STEP = 2;

/** In place of a position: all that the client knows of typing is to be told anew. */
export const TYPING_LOST = -1;

/** What a user's token says of typing now. */
export function typingNow(streams: Streams, rooms: Pick<SyncRooms, 'typingRooms'>, user: OnlineUser): number {
  const position = streams.current('typing');
  for (const roomId of rooms.typingRooms()) {
    if (user.rooms.get(roomId)?.membership === 'join') return position + 1;
  }
  return position;
}

/** After which position typing is news for a client whose token says this. */
export function typingSince(streams: Streams, token: number): number {
  const isOurs = token >= streams.start('typing') && token <= streams.current('typing') + 1;
  if (isOurs) return token;
  return token % TYPING_STEP === 0 ? 0 : TYPING_LOST;
}
