/** Completes the rooms that were joined with a part of their state, in the background, however long it takes. */
import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { RefusedError } from '../../federation/index.ts';
import { authStateOf, checkAuth } from '../../protocol/auth/index.ts';
import type { Event } from '../../protocol/event/index.ts';
import type { ServerName } from '../../protocol/ids/index.ts';
import { readString } from '../../protocol/json/index.ts';
import { type StateKey, splitStateKey } from '../../protocol/state/index.ts';
import type { PartialRoom } from '../partial-rooms.ts';
import type { StateReference } from '../snapshot.ts';
import { deletePartialRoom } from '../store/index.ts';
import type { StateChange } from '../store/state-tree.ts';
import type { HotRoom } from '../write/hot-room.ts';
import { completeRoom } from './complete-room.ts';
import type { ReceiveDeps, RoomFacts } from './deps.ts';
import { holdRoom } from './held-room.ts';
import { checkCreate } from './import-room.ts';
import { MissingEvents } from './missing-events.ts';
import type { RoomQueues } from './room-queues.ts';

/** Rooms that are completed side by side. */
const ROOMS_AT_ONCE = 4;
/** Servers that are asked in one attempt. */
const SERVERS_ASKED_MAX = 4;
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 5 * 60_000;
const INTERN_AT_ONCE = 500;
/** Attempts before a room that nobody else is in any more is taken as it is. */
const FORSAKEN_ATTEMPTS = 3;

/** The whole state before our join, as another server gave it. */
type FullState = ReadonlyMap<StateKey, StateReference | undefined>;

/** Fetches what rooms lack of their state. What is to be done is in `partial_rooms`: a restart goes on with it. */
export class RoomCompletion implements AsyncDisposable {
  readonly #deps: ReceiveDeps;
  readonly #queues: RoomQueues;
  readonly #missing: MissingEvents;
  readonly #stop = new AbortController();
  readonly #running = new Map<number, Promise<void>>();
  readonly #attempts = new Set<Promise<unknown>>();

  constructor(deps: ReceiveDeps, queues: RoomQueues) {
    this.#deps = deps;
    this.#queues = queues;
    this.#missing = new MissingEvents(deps);
  }

  /** Goes on with all rooms that were left partial. */
  start(): void {
    for (const room of this.#deps.partial.list()) this.begin(room);
  }

  /** Begins with a room that was just joined. */
  begin(room: PartialRoom): void {
    const before = this.#running.get(room.roomNid) ?? Promise.resolve();
    const running = before
      .then(() => this.#run(room))
      .catch((error: unknown) => this.#deps.log.warn({ err: error, roomId: room.roomId }, 'a room stays partial'))
      .finally(() => {
        if (this.#running.get(room.roomNid) === running) this.#running.delete(room.roomNid);
      });
    this.#running.set(room.roomNid, running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running.values());
  }

  async #run(room: PartialRoom): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; !signal.aborted && this.#isOpen(room); attempt++) {
      while (this.#attempts.size >= ROOMS_AT_ONCE) await Promise.race(this.#attempts);
      const tried = this.#attempt(room, attempt).finally(() => this.#attempts.delete(tried));
      this.#attempts.add(tried);
      if (await tried) return;
      const full = Math.min(RETRY_FIRST_MS * 2 ** Math.min(attempt, 20), RETRY_LAST_MS);
      await delay(full / 2 + randomInt(Math.ceil(full / 2)), undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Whether it is still this join that lacks something. */
  #isOpen({ roomNid, joinNid }: PartialRoom): boolean {
    return this.#deps.partial.find(roomNid)?.joinNid === joinNid;
  }

  async #attempt(room: PartialRoom, attempt: number): Promise<boolean> {
    const { database, hotRooms, reader, serverName, federation, log } = this.#deps;
    const { roomId, roomNid, joinNid } = room;
    const hot = await hotRooms.find(roomId);
    if (hot === undefined) return true;
    if (!hot.isResident(serverName)) {
      await database.write('main', (tx) => deletePartialRoom(tx, roomNid));
      if (this.#isOpen(room)) this.#deps.partial.remove(roomNid);
      return true;
    }
    const [join] = await database.read((tx) => reader.byNids(tx, [joinNid]));
    if (join === undefined) throw new Error(`the join ${joinNid} is not there`);
    const facts: RoomFacts = { roomId, roomNid, rules: hot.rules };
    const servers = serversFor(room, attempt);
    let refusals = 0;
    for (const server of servers) {
      if (this.#stop.signal.aborted) return false;
      try {
        const ids = await federation.calls.stateIds(server, roomId, join.event.eventId);
        const given = await this.#missing.stateByIds(facts, join.event.eventId, server, ids);
        if (given === undefined) continue;
        await this.#check(facts, joinNid, given.changes);
        await this.#complete(room, await this.#write(given.changes));
        return true;
      } catch (error) {
        if (error instanceof RefusedError && (error.status === 403 || error.status === 404)) refusals++;
        log.info({ err: error, roomId, server }, 'a server could not give the state of a room');
      }
    }
    // Whoever was there has left since, and tells nothing any more: what we know is all there will ever be.
    const isForsaken = refusals === servers.length && attempt >= FORSAKEN_ATTEMPTS && !hasOthers(hot, room, serverName);
    if (isForsaken) await this.#complete(room, join.stateBefore);
    return isForsaken;
  }

  /** @throws Error where the state can't be that of the room before our join */
  async #check(facts: RoomFacts, joinNid: number, state: FullState): Promise<void> {
    const { database, reader } = this.#deps;
    const nids = [...state.values()].flatMap((entry) => entry?.nid ?? []);
    const [join] = await database.read((tx) => reader.byNids(tx, [joinNid]));
    // Members beside those who count for the join are left out: there may be many.
    const needed = [...state].filter(([key]) => {
      const [type, stateKey] = splitStateKey(key);
      return type !== 'm.room.member' || stateKey === join?.event.stateKey || stateKey === authoriserOf(join?.event);
    });
    const events = await database.read((tx) =>
      reader.byNids(
        tx,
        needed.flatMap(([, entry]) => entry?.nid ?? []),
      ),
    );
    if (join === undefined || nids.length === 0) throw new Error('there is no state');
    checkCreate(facts, events.find(({ event }) => event.isCreate)?.event);
    const verdict = checkAuth(join.event, authStateOf(events.map(({ event }) => event)));
    if (!verdict.allowed) throw new Error(`the state that was given does not allow our join: ${verdict.reason}`);
  }

  async #complete(room: PartialRoom, fullRoot: number): Promise<void> {
    await this.#queues.run(room.roomId, async () => {
      if (!this.#isOpen(room)) return;
      await holdRoom(this.#deps.hotRooms, room.roomId, (hot) => completeRoom(this.#deps, hot, room, fullRoot));
    });
  }

  /** Writes the state, in portions before the last step. Returns its root. */
  async #write(state: FullState): Promise<number> {
    const { database, stateKeys, stateTree } = this.#deps;
    const entries = [...state];
    const pairs: StateChange[] = [];
    for (let start = 0; start < entries.length; start += INTERN_AT_ONCE) {
      await database.write('main', async (tx) => {
        for (const [key, entry] of entries.slice(start, start + INTERN_AT_ONCE)) {
          pairs.push([await stateKeys.intern(tx, ...splitStateKey(key)), entry?.nid]);
        }
      });
    }
    return database.write('main', (tx) => stateTree.build(tx, pairs));
  }
}

/** Who let us in, if somebody had to. */
function authoriserOf(join: Event | undefined): string | undefined {
  return join === undefined ? undefined : readString(join.content, 'join_authorised_via_users_server');
}

/** Whether a server is in the room, as far as we know, beside those that were asked. */
function hasOthers(hot: HotRoom, { via, servers }: PartialRoom, ours: ServerName): boolean {
  if (servers.size > SERVERS_ASKED_MAX) return true;
  const residents = [...hot.members.residents()];
  return residents.some((server) => server !== ours && server !== via && !servers.has(server));
}

/** First the server through which we joined, then others, other ones at each attempt. */
function serversFor({ via, servers }: PartialRoom, attempt: number): readonly ServerName[] {
  const others = [...servers].filter((server) => server !== via);
  const start = others.length === 0 ? 0 : (attempt * (SERVERS_ASKED_MAX - 1)) % others.length;
  const turned = [...others.slice(start), ...others.slice(0, start)];
  return [via, ...turned.slice(0, SERVERS_ASKED_MAX - 1)];
}
