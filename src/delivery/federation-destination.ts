import type { Event } from '../protocol/event/index.ts';
import type { ServerName } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';

/** An event on its way, with its position in the stream 'events'. */
export interface OutgoingEvent {
  readonly position: number;
  readonly event: Event;
}

/** What a destination needs of the sender. */
export interface DestinationPort {
  /** Sends a transaction; rejects where it was not taken. */
  transact(destination: ServerName, pdus: readonly JsonObject[], edus: readonly JsonObject[]): Promise<void>;
  /** The destination's events after a position, as far as they are known to be committed. */
  catchUp(
    destination: ServerName,
    from: number,
  ): Promise<{ readonly events: readonly OutgoingEvent[]; readonly upTo: number }>;
  /** The position up to which events were handed to the queues. */
  handedOut(): number;
  /** Notes durably that the destination lacks what is after a position, or lacks nothing. */
  noteBehind(destination: ServerName, from: number | undefined): Promise<void>;
  /** The ephemeral events that wait in the database for the destination, and what to do once it has them. */
  stored(destination: ServerName, limit: number): Promise<StoredEdus>;
  /** Keeps ephemeral events in the database, until the destination has them. */
  keep(destination: ServerName, edus: ReadonlyMap<string, JsonObject>): Promise<void>;
  /** A transaction was not taken, or what is missing could not be noted. */
  failed(destination: ServerName, error: unknown): void;
  /** How long to wait before the next attempt, in milliseconds. */
  waitMs(destination: ServerName): number;
}

/** Ephemeral events of which the database keeps track. */
export interface StoredEdus {
  readonly edus: readonly JsonObject[];
  confirm(): Promise<void>;
}

interface QueuedEdu {
  readonly edu: JsonObject;
  /** It is of use even if it comes late. */
  readonly isLasting: boolean;
}

const PDUS_MAX = 50;
const EDUS_MAX = 100;
/** More than this is read from the database when its turn comes. */
const QUEUE_EVENTS_MAX = 2_000;
const QUEUE_EDUS_MAX = 2_000;
const RETRY_MS_MIN = 1_000;

/**
 * What goes to one server: one transaction at a time, events in order. Where it doesn't keep up or can't be reached, its
 * place in the stream is kept in the database, and it gets what it lacks from there.
 */
export class Destination {
  readonly #name: ServerName;
  readonly #port: DestinationPort;
  #events: OutgoingEvent[] = [];
  readonly #edus = new Map<string, QueuedEdu>();
  /** Undefined while it keeps up. */
  #behindFrom: number | undefined;
  #isRunning = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  /** There may be ephemeral events in the database. */
  #hasStored = false;
  /** The positions of events in the transaction under way. */
  #sending: number | undefined;

  constructor(name: ServerName, port: DestinationPort, behindFrom: number | undefined) {
    this.#name = name;
    this.#port = port;
    this.#behindFrom = behindFrom;
  }

  /** The first position that it may lack, where that isn't kept in the database; undefined: none. */
  get firstWaiting(): number | undefined {
    if (this.#behindFrom !== undefined) return undefined;
    return this.#sending ?? this.#events[0]?.position;
  }

  add(outgoing: OutgoingEvent): void {
    // What comes while it is behind is read from the database.
    if (this.#behindFrom === undefined) this.#events.push(outgoing);
    if (this.#events.length > QUEUE_EVENTS_MAX && !this.#isRunning) void this.#fallBehind();
    this.#start();
  }

  /**
   * Adds an ephemeral event; one with the same key that waits is replaced. What isn't `lasting` goes when the server can't be
   * reached, or too much waits; what is goes into the database then.
   */
  addEdu(key: string, edu: JsonObject, isLasting: boolean): void {
    if (this.#edus.size >= QUEUE_EDUS_MAX && !this.#edus.has(key)) {
      if (!isLasting) return;
      this.#keepEdus().catch((error: unknown) => this.#port.failed(this.#name, error));
    }
    this.#edus.set(key, { edu, isLasting });
    this.#start();
  }

  /** There are ephemeral events in the database. */
  addStored(): void {
    this.#hasStored = true;
    this.#start();
  }

  /** The server showed up: no more waiting. */
  retryNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#start();
  }

  /** Sends no more. What of its ephemeral events is lasting is kept in the database. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#keepEdus();
  }

  #start(): void {
    if (this.#isRunning || this.#isClosed || this.#timer !== undefined) return;
    this.#isRunning = true;
    // In a later turn: what comes in this one goes into the same transaction.
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isClosed && this.#hasWork()) await this.#sendSome();
      // In the same turn in which there was nothing to do: what comes from now on starts it anew.
      this.#isRunning = false;
    } catch (error) {
      this.#port.failed(this.#name, error);
      // What was under way may have been among them.
      this.#hasStored = true;
      await this.#fallBehind().catch((storageError: unknown) => this.#port.failed(this.#name, storageError));
      this.#isRunning = false;
      this.#retryLater();
    }
  }

  #hasWork(): boolean {
    return this.#behindFrom !== undefined || this.#events.length > 0 || this.#edus.size > 0 || this.#hasStored;
  }

  async #sendSome(): Promise<void> {
    if (this.#behindFrom !== undefined) return this.#sendFromDatabase(this.#behindFrom);
    if (this.#events.length > QUEUE_EVENTS_MAX) {
      await this.#fallBehind();
      return;
    }
    const events = this.#events.slice(0, PDUS_MAX);
    const [first] = events;
    this.#sending = first?.position;
    await this.#transact(events);
    this.#events.splice(0, events.length);
    this.#sending = undefined;
  }

  async #sendFromDatabase(from: number): Promise<void> {
    const { events, upTo } = await this.#port.catchUp(this.#name, from);
    for (
      let start = 0;
      start < events.length || (start === 0 && (this.#edus.size > 0 || this.#hasStored));
      start += PDUS_MAX
    ) {
      const part = events.slice(start, start + PDUS_MAX);
      await this.#transact(part);
      this.#behindFrom = part.at(-1)?.position ?? this.#behindFrom;
    }
    this.#behindFrom = upTo;
    // In the same turn in which nothing is missing: what comes from now on is queued.
    if (upTo < this.#port.handedOut()) return;
    this.#behindFrom = undefined;
    await this.#port.noteBehind(this.#name, undefined);
  }

  async #transact(events: readonly OutgoingEvent[]): Promise<void> {
    const hadStored = this.#hasStored;
    this.#hasStored = false;
    const waiting = hadStored ? await this.#port.stored(this.#name, EDUS_MAX) : undefined;
    const stored = waiting?.edus ?? [];
    if (stored.length === EDUS_MAX) this.#hasStored = true;
    const edus = [...this.#edus].slice(0, EDUS_MAX - stored.length);
    if (events.length + stored.length + edus.length === 0) return;
    await this.#port.transact(
      this.#name,
      events.map(({ event }) => event.exactPdu),
      [...stored, ...edus.map(([, { edu }]) => edu)],
    );
    await waiting?.confirm();
    for (const [key, queued] of edus) if (this.#edus.get(key) === queued) this.#edus.delete(key);
  }

  async #fallBehind(): Promise<void> {
    this.#behindFrom ??= (this.#sending ?? this.#events[0]?.position ?? this.#port.handedOut() + 1) - 1;
    this.#events = [];
    this.#sending = undefined;
    await this.#port.noteBehind(this.#name, this.#behindFrom);
    await this.#keepEdus();
  }

  async #keepEdus(): Promise<void> {
    const lasting = new Map([...this.#edus].flatMap(([key, { edu, isLasting }]) => (isLasting ? [[key, edu]] : [])));
    this.#edus.clear();
    if (lasting.size > 0) await this.#port.keep(this.#name, lasting);
  }

  #retryLater(): void {
    if (this.#isClosed || this.#timer !== undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#start();
      },
      Math.max(RETRY_MS_MIN, this.#port.waitMs(this.#name)),
    );
    this.#timer.unref();
  }
}
