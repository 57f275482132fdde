import { matchesEvent, matchesRoom } from '../protocol/filter/index.ts';
import type { RoomSummary, UnreadRoom } from '../rooms/index.ts';
import type { UserRoom } from './online-user.ts';
import type { SyncContext } from './request.ts';

/** The `summary` of a room. */
export function summaryJson({ heroes, joined, invited }: RoomSummary): string {
  return JSON.stringify({
    ...(heroes.length === 0 ? {} : { 'm.heroes': heroes }),
    'm.joined_member_count': joined,
    'm.invited_member_count': invited,
  });
}

/** Threads are counted apart only for clients that ask for it. Spec: client-server-api/#receiving-notifications */
export function countsJson(counts: UnreadRoom | undefined, { query }: SyncContext): string {
  if (counts === undefined) return '';
  let { notification, highlight } = counts.main;
  const threads: Record<string, object> = {};
  for (const [root, thread] of counts.threads) {
    if (query.filter.room.timeline.unreadThreadNotifications) {
      threads[root] = { notification_count: thread.notification, highlight_count: thread.highlight };
    } else {
      notification += thread.notification;
      highlight += thread.highlight;
    }
  }
  const own = `,"unread_notifications":{"notification_count":${notification},"highlight_count":${highlight}}`;
  return query.filter.room.timeline.unreadThreadNotifications
    ? `${own},"unread_thread_notifications":${JSON.stringify(threads)}`
    : own;
}

/** Whether an ephemeral event of a type may be told. */
export function wantsEphemeral({ query }: SyncContext, room: UserRoom, type: string): boolean {
  const { ephemeral } = query.filter.room;
  return matchesRoom(ephemeral, room.roomId) && matchesEvent(ephemeral, type, undefined);
}
