/**
 * What unread counts have to be, for one user in one room: by looking at every event for every count, from the specification
 * alone. Spec: client-server-api/#receiving-notifications, client-server-api/#predefined-rules, client-server-api/#threading
 */

export type Mention = 'nobody' | 'user' | 'room';

/** An event of the room, as far as counting goes. */
export interface ModelEvent {
  readonly id: string;
  readonly sender: string;
  /** What the default push rules look at. */
  readonly kind: 'message' | 'notice' | 'reaction' | 'edit' | 'state' | 'redaction';
  readonly mention: Mention;
  /** Whether the sender's power level is enough to notify the whole room. */
  readonly mayNotifyRoom: boolean;
  /** The first event of the thread that it is in. */
  readonly thread: string | undefined;
  isRedacted: boolean;
}

export interface ModelCounts {
  notification: number;
  highlight: number;
}

/** The counts of a room: outside of threads, and those of each thread that has any. */
export interface ModelRoom {
  readonly main: ModelCounts;
  readonly threads: Record<string, ModelCounts>;
}

/** What a user has read: up to which place in the list, in everything (`all`), the main timeline, or a thread. */
interface Read {
  readonly place: number;
  readonly where: string | undefined;
}

/** One user's view of one room. */
export class UnreadModel {
  readonly events: ModelEvent[] = [];
  readonly #userId: string;
  readonly #reads: Read[] = [];
  /** Where the user's stay began: events from here on count. */
  #joinedAt = 0;
  ignored: ReadonlySet<string> = new Set();

  constructor(userId: string) {
    this.#userId = userId;
  }

  add(event: ModelEvent): void {
    this.events.push(event);
    // Whoever says something has read what was said there.
    if (event.sender === this.#userId)
      this.#reads.push({ place: this.events.length - 1, where: event.thread ?? 'main' });
  }

  /** `where`: undefined for everything, `main`, or a thread. */
  read(id: string, where: string | undefined): void {
    this.#reads.push({ place: this.events.findIndex((event) => event.id === id), where });
  }

  rejoin(): void {
    this.#joinedAt = this.events.length;
  }

  counts(): ModelRoom {
    const room: ModelRoom = { main: { notification: 0, highlight: 0 }, threads: {} };
    for (const [place, event] of this.events.entries()) {
      if (place < this.#joinedAt || event.isRedacted || event.sender === this.#userId) continue;
      if (this.ignored.has(event.sender) || this.#isRead(place, event)) continue;
      const verdict = verdictOn(event);
      if (verdict === 'nothing') continue;
      let counts = room.main;
      if (event.thread !== undefined) {
        counts = room.threads[event.thread] ?? { notification: 0, highlight: 0 };
        room.threads[event.thread] = counts;
      }
      counts.notification++;
      if (verdict === 'highlight') counts.highlight++;
    }
    return room;
  }

  #isRead(place: number, { thread }: ModelEvent): boolean {
    return this.#reads.some((read) => {
      return read.place >= place && (read.where === undefined || read.where === (thread ?? 'main'));
    });
  }
}

/** The predefined rules, in their order. */
function verdictOn({ kind, mention, mayNotifyRoom }: ModelEvent): 'nothing' | 'notify' | 'highlight' {
  if (kind === 'notice') return 'nothing';
  if (mention === 'user') return 'highlight';
  if (mention === 'room' && mayNotifyRoom) return 'highlight';
  return kind === 'message' ? 'notify' : 'nothing';
}
