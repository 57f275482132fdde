/** How unread counts follow from the events of a room, as pure functions over what matters of each event. */
import type { EventId, UserId } from '../../protocol/ids/index.ts';
import { UNREAD, type Unread } from '../store/tables.ts';

/** What one event does to one user's counts where that isn't what its `unread` says. */
export interface OwnVerdict {
  readonly notify: boolean;
  readonly highlight: boolean;
}

/** What counting looks at in an event. */
export interface CountedEvent {
  readonly position: number;
  readonly sender: UserId;
  readonly threadRoot: EventId | undefined;
  /** What it does to the counts of all who have no verdict of their own. */
  readonly unread: Unread;
  /** A redacted event doesn't count any more, for anybody. */
  readonly isRedacted: boolean;
  /** Its sender has read up to it: any event but a member event, since those come with each change of a profile. */
  readonly showsPresence: boolean;
}

export interface Counts {
  readonly notification: number;
  readonly highlight: number;
}

/** A user's unread events in a room: those outside of threads, and those of each thread that has any. */
export interface UnreadRoom {
  readonly main: Counts;
  readonly threads: ReadonlyMap<EventId, Counts>;
}

/** Up to which positions a user has read: everything, the main timeline, and threads. */
export interface ReadUpTo {
  readonly all: number;
  readonly main: number;
  readonly threads: ReadonlyMap<string, number>;
}

export const NO_COUNTS: Counts = { notification: 0, highlight: 0 };
export const NOTHING_UNREAD: UnreadRoom = { main: NO_COUNTS, threads: new Map() };

/** For whom is counted. */
export interface CountingFor<E extends CountedEvent> {
  readonly userId: UserId;
  readonly ignored: ReadonlySet<UserId>;
  readonly readUpTo: ReadUpTo;
  /** The user's own verdict on an event, where there is one. */
  verdictOn(event: E): OwnVerdict | undefined;
}

/**
 * The counts after some more events, in order. An event that the user sends marks its thread (or the main timeline) as read.
 * Spec: client-server-api/#receiving-notifications
 */
export function countUnread<E extends CountedEvent>(
  before: UnreadRoom,
  events: Iterable<E>,
  whom: CountingFor<E>,
): UnreadRoom {
  const { userId, ignored, readUpTo } = whom;
  let { main } = before;
  let threads: Map<EventId, Counts> | undefined;
  for (const event of events) {
    const { threadRoot } = event;
    if (event.sender === userId) {
      if (!event.showsPresence) continue;
      threads ??= new Map(before.threads);
      if (threadRoot === undefined) main = NO_COUNTS;
      else threads.delete(threadRoot);
      continue;
    }
    if (event.isRedacted || event.position <= positionRead(readUpTo, threadRoot) || ignored.has(event.sender)) continue;
    const own = whom.verdictOn(event);
    const notifies = own === undefined ? event.unread !== UNREAD.none : own.notify;
    if (!notifies) continue;
    const highlight = own === undefined ? event.unread === UNREAD.highlights : own.highlight;
    if (threadRoot === undefined) main = increased(main, highlight);
    else {
      threads ??= new Map(before.threads);
      threads.set(threadRoot, increased(threads.get(threadRoot) ?? NO_COUNTS, highlight));
    }
  }
  return main === before.main && threads === undefined ? before : { main, threads: threads ?? before.threads };
}

/** All of a room's counts in one, for clients that don't tell threads apart. */
export function sumOf({ main, threads }: UnreadRoom): Counts {
  let { notification, highlight } = main;
  for (const counts of threads.values()) {
    notification += counts.notification;
    highlight += counts.highlight;
  }
  return { notification, highlight };
}

function positionRead({ all, main, threads }: ReadUpTo, threadRoot: EventId | undefined): number {
  const inThread = threadRoot === undefined ? main : threads.get(threadRoot);
  return inThread === undefined ? all : Math.max(all, inThread);
}

function increased({ notification, highlight }: Counts, isHighlight: boolean): Counts {
  return { notification: notification + 1, highlight: highlight + (isHighlight ? 1 : 0) };
}
