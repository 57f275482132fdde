import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Federation } from '../federation/index.ts';
import { parseUserId, type RoomId, type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { type JsonObject, readString } from '../protocol/json/index.ts';
import type { Rooms } from '../rooms/index.ts';
import type { Database, ReadTx } from '../storage/index.ts';
import type { Cursors, Hub, Streams } from '../streams/index.ts';
import type { DurableEdus } from './durable-edus.ts';
import { Destination, type DestinationPort, type OutgoingEvent, type StoredEdus } from './federation-destination.ts';
import {
  deleteBehind,
  listBehind,
  listOutgoing,
  listStateRoots,
  type OutgoingRow,
  putBehind,
} from './federation-store.ts';
import { ownSticky } from './own-sticky.ts';
import { RoomServers } from './room-servers.ts';

export interface FederationSenderDeps {
  readonly database: Database;
  readonly streams: Streams;
  readonly hub: Hub;
  readonly cursors: Cursors;
  readonly clock: Clock;
  readonly federation: Federation;
  readonly rooms: Pick<Rooms, 'events' | 'stateTree' | 'stateKeys' | 'partial'>;
  readonly edus: DurableEdus;
  readonly log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

const CONSUMER = 'federation';
const BATCH_ROWS = 200;
const CATCH_UP_ROWS = 500;
const CURSOR_EVERY_MS = 1_000;
const TRANSACTION_TIMEOUT_MS = 60_000;

/**
 * Sends what happens in rooms to the other servers in them: follows the stream 'events' and hands each event to the queues
 * of its destinations. The cursor in the database follows what the destinations have taken.
 */
export class FederationSender implements AsyncDisposable, DestinationPort {
  readonly #deps: FederationSenderDeps;
  readonly #servers: RoomServers;
  readonly #destinations = new Map<ServerName, Destination>();
  readonly #prefix = randomBytes(6).toString('hex');
  #transactionCount = 0;
  #position = 0;
  #written = 0;
  #isFollowing: Promise<void> | undefined;
  #isWoken = false;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;

  constructor(deps: FederationSenderDeps) {
    this.#deps = deps;
    this.#servers = new RoomServers(deps.rooms);
  }

  /** Goes on from where it was; a first start begins with what comes from now on. */
  async start(): Promise<void> {
    const { database, cursors, streams, hub, federation, edus } = this.#deps;
    const { known, behind, waiting } = await database.read(async (tx) => {
      return {
        known: await cursors.find(tx, CONSUMER),
        behind: await listBehind(tx),
        waiting: await edus.destinations(tx),
      };
    });
    this.#position = known ?? streams.current('events');
    this.#written = known ?? -1;
    for (const row of behind) {
      const destination = new Destination(row.destination, this, row.behind_from);
      this.#destinations.set(row.destination, destination);
      destination.retryNow();
    }
    for (const server of waiting) this.#destination(server)?.addStored();
    edus.onAdded((server) => this.#destination(server)?.addStored());
    federation.backoff.onAlive((server) => this.#destinations.get(server)?.retryNow());
    this.#stopListening = hub.listen('stream:events', () => this.#wake());
    this.#timer = setInterval(() => void this.#writeCursor().catch(() => undefined), CURSOR_EVERY_MS);
    this.#timer.unref();
    this.#wake();
  }

  /**
   * Sends an ephemeral event to servers; one with the same key that waits is replaced. A lasting one waits for a server that
   * can't be reached, others are dropped then.
   */
  sendEdu(
    servers: Iterable<ServerName>,
    { type, content, key, isLasting }: { type: string; content: JsonObject; key: string; isLasting: boolean },
  ): void {
    for (const server of servers) {
      if (server === this.#deps.federation.serverName) continue;
      this.#destination(server)?.addEdu(key, { edu_type: type, content }, isLasting);
    }
  }

  /** The servers in a room as it is now. */
  serversIn(tx: ReadTx, roomNid: number, stateRoot: number): Promise<ReadonlySet<ServerName>> {
    return this.#servers.at(tx, roomNid, stateRoot);
  }

  /** The servers in any of some rooms, as these are now. Loads no room. */
  serversInAny(roomIds: readonly RoomId[]): Promise<ReadonlySet<ServerName>> {
    return this.#deps.database.read(async (tx) => {
      const servers = new Set<ServerName>();
      for (const { room_nid, state_root } of await listStateRoots(tx, roomIds)) {
        for (const server of await this.#servers.at(tx, room_nid, state_root)) servers.add(server);
      }
      return servers;
    });
  }

  async transact(destination: ServerName, pdus: readonly JsonObject[], edus: readonly JsonObject[]): Promise<void> {
    const { federation, clock } = this.#deps;
    const txnId = `${this.#prefix}${this.#transactionCount++}`;
    const transaction = {
      origin: federation.serverName,
      origin_server_ts: clock.now(),
      pdus,
      ...(edus.length === 0 ? {} : { edus }),
    };
    await federation.calls.sendTransaction(destination, txnId, transaction, TRANSACTION_TIMEOUT_MS);
  }

  async catchUp(destination: ServerName, from: number) {
    const to = this.#position;
    return this.#deps.database.read(async (tx) => {
      const rows = await listOutgoing(tx, from, to, CATCH_UP_ROWS);
      const events: OutgoingEvent[] = [];
      for (const row of rows) {
        const newcomer = await this.#newcomer(tx, row);
        if (newcomer === destination) events.push(...(await this.#stickyFor(tx, row)));
        if (!(await this.#destinationsOf(tx, row)).has(destination)) continue;
        const outgoing = await this.#load(tx, row);
        if (outgoing !== undefined) events.push(outgoing);
      }
      const last = rows.at(-1)?.position;
      return { events, upTo: rows.length < CATCH_UP_ROWS ? to : (last ?? to) };
    });
  }

  handedOut(): number {
    return this.#position;
  }

  async noteBehind(destination: ServerName, from: number | undefined): Promise<void> {
    const { database, clock } = this.#deps;
    await database.write('main', async (tx) => {
      if (from === undefined) await deleteBehind(tx, destination);
      else await putBehind(tx, { destination, behind_from: from, failing_since_ts: clock.now() });
    });
  }

  stored(destination: ServerName, limit: number): Promise<StoredEdus> {
    return this.#deps.edus.waiting(destination, limit);
  }

  keep(destination: ServerName, edus: ReadonlyMap<string, JsonObject>): Promise<void> {
    return this.#deps.edus.keep(destination, edus);
  }

  failed(destination: ServerName, error: unknown): void {
    this.#deps.log.info({ err: error, destination }, 'a server did not take a transaction');
  }

  waitMs(destination: ServerName): number {
    return this.#deps.federation.backoff.waitMs(destination);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#stopListening?.();
    clearInterval(this.#timer);
    await this.#isFollowing;
    for (const destination of this.#destinations.values()) {
      await destination.close().catch((err: unknown) => this.#deps.log.warn({ err }, 'ephemeral events were not kept'));
    }
    if (this.#timer !== undefined) await this.#writeCursor().catch(() => undefined);
  }

  #wake(): void {
    this.#isWoken = true;
    if (this.#isFollowing !== undefined || this.#isClosed) return;
    this.#isFollowing = this.#follow()
      .catch((error: unknown) =>
        this.#deps.log.warn({ err: error }, 'events could not be handed to their destinations'),
      )
      .finally(() => {
        this.#isFollowing = undefined;
      });
  }

  async #follow(): Promise<void> {
    while (this.#isWoken && !this.#isClosed) {
      this.#isWoken = false;
      for (let to = this.#current(); this.#position < to; to = this.#current()) await this.#handOut(to);
    }
  }

  #current(): number {
    return this.#isClosed ? 0 : this.#deps.streams.current('events');
  }

  async #handOut(to: number): Promise<void> {
    const found: (readonly [Destination, OutgoingEvent])[] = [];
    const next = await this.#deps.database.read(async (tx) => {
      const rows = await listOutgoing(tx, this.#position, to, BATCH_ROWS);
      for (const row of rows) {
        const newcomer = await this.#newcomer(tx, row);
        const ready = newcomer === undefined ? undefined : this.#destination(newcomer);
        if (ready !== undefined) for (const sticky of await this.#stickyFor(tx, row)) found.push([ready, sticky]);
        const servers = await this.#destinationsOf(tx, row);
        const outgoing = servers.size === 0 ? undefined : await this.#load(tx, row);
        if (outgoing === undefined) continue;
        for (const server of servers) {
          const destination = this.#destination(server);
          if (destination !== undefined) found.push([destination, outgoing]);
        }
      }
      return rows.length < BATCH_ROWS ? to : (rows.at(-1)?.position ?? to);
    });
    // Together: a destination that catches up reads up to here.
    this.#position = next;
    for (const [destination, outgoing] of found) destination.add(outgoing);
  }

  /** The other servers that an event goes to: those in the room before it, and that of the user whom it is about. */
  async #destinationsOf(tx: ReadTx, row: OutgoingRow): Promise<ReadonlySet<ServerName>> {
    const { serverName } = this.#deps.federation;
    const isOurs = serverNameOf(row.sender) === serverName;
    if ((!isOurs && row.origin === null) || row.state_before === 0) return NOBODY;
    const inRoom = await this.#servers.at(tx, row.room_nid, row.state_before);
    const target = row.type === 'm.room.member' ? parseUserId(row.state_key ?? '') : undefined;
    if (inRoom.size <= 1 && inRoom.has(serverName) && (target === undefined || serverNameOf(target) === serverName)) {
      return NOBODY;
    }
    const servers = new Set(inRoom);
    if (target !== undefined) servers.add(serverNameOf(target));
    servers.delete(serverName);
    for (const server of servers) if (server === row.origin) servers.delete(server);
    return servers;
  }

  /** The server that an event brings into its room: that of its first user there. */
  async #newcomer(tx: ReadTx, row: OutgoingRow): Promise<ServerName | undefined> {
    const user = row.type === 'm.room.member' ? parseUserId(row.state_key ?? '') : undefined;
    const server = user === undefined ? undefined : serverNameOf(user);
    if (server === undefined || server === this.#deps.federation.serverName || row.state_before === 0) return undefined;
    const [stored] = await this.#deps.rooms.events.byNids(tx, [row.nid]);
    if (stored === undefined || readString(stored.event.content, 'membership') !== 'join') return undefined;
    const inRoom = await this.#servers.at(tx, row.room_nid, row.state_before);
    return inRoom.has(server) ? undefined : server;
  }

  /**
   * Our users' sticky events, for a server that a member event brings into the room (MSC4354). In the queue they stand before
   * that event: where not all were taken, all are sent again.
   */
  #stickyFor(tx: ReadTx, row: OutgoingRow): Promise<readonly OutgoingEvent[]> {
    const { rooms, clock, federation } = this.#deps;
    const isOurs = (sender: UserId) => serverNameOf(sender) === federation.serverName;
    return ownSticky(tx, rooms.events, row, isOurs, clock.now());
  }

  async #load(tx: ReadTx, row: OutgoingRow): Promise<OutgoingEvent | undefined> {
    const [stored] = await this.#deps.rooms.events.byNids(tx, [row.nid]);
    return stored === undefined || stored.isRefused ? undefined : { position: stored.position, event: stored.event };
  }

  #destination(server: ServerName): Destination | undefined {
    const { federation } = this.#deps;
    if (!federation.policy.isAllowed(server)) return undefined;
    let destination = this.#destinations.get(server);
    if (destination === undefined) {
      destination = new Destination(server, this, undefined);
      this.#destinations.set(server, destination);
    }
    return destination;
  }

  /** Everything up to here was taken, or is noted elsewhere as missing. */
  async #writeCursor(): Promise<void> {
    let done = this.#position;
    for (const { firstWaiting } of this.#destinations.values()) {
      if (firstWaiting !== undefined) done = Math.min(done, firstWaiting - 1);
    }
    if (done === this.#written) return;
    await this.#deps.database.write('main', (tx) => this.#deps.cursors.set(tx, CONSUMER, done));
    this.#written = done;
  }
}

const NOBODY: ReadonlySet<ServerName> = new Set();
