import type { Event } from '../../protocol/event/index.ts';

/** Whether an event goes with its sender's erasure: what they said and how they called themselves, not the room's settings. */
export function isErasable({ isState, type }: Event): boolean {
  return !isState || type === 'm.room.member';
}
