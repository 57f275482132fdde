/** Presence between servers. Spec: server-server-api/#presence */
import type { Clock } from '../clock.ts';
import { PRESENCES, type Presence, type PresenceNews, presenceJson } from '../presence/index.ts';
import { parseUserId, type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  readArray,
  readBoolean,
  readInteger,
  readString,
} from '../protocol/json/index.ts';
import type { Hub } from '../streams/index.ts';
import type { FederationSender } from './federation-sender.ts';

export interface PresenceToServersDeps {
  readonly hub: Hub;
  readonly clock: Clock;
  readonly presence: Presence;
  readonly sender: FederationSender;
  readonly serverName: ServerName;
  readonly log: { warn(fields: object, message: string): void };
}

/** Other servers take somebody for gone of whom they hear nothing for half an hour. */
const AGAIN_MS = 25 * 60_000;
const LOOK_MS = 60_000;
/** Of one message of another server no more users are looked at. */
const PUSHED_USERS_MAX = 500;

/** Tells the servers in a user's rooms of the user's presence as it changes, and now and then that it still holds. */
export class PresenceToServers implements Disposable {
  readonly #deps: PresenceToServersDeps;
  /** When others were last told of somebody who isn't offline. */
  readonly #toldTs = new Map<UserId, number>();
  #stop: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: PresenceToServersDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#stop = this.#deps.hub.listen('stream:presence', (payload) => {
      if (isNews(payload)) this.#tellLater(payload.users);
    });
    this.#timer = setInterval(() => {
      const before = this.#deps.clock.now() - AGAIN_MS;
      this.#tellLater([...this.#toldTs].flatMap(([userId, ts]) => (ts <= before ? [userId] : [])));
    }, LOOK_MS);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    this.#stop?.();
    clearInterval(this.#timer);
  }

  #tellLater(users: readonly UserId[]): void {
    this.#tell(users).catch((err: unknown) => this.#deps.log.warn({ err }, 'other servers were not told of presence'));
  }

  async #tell(users: readonly UserId[]): Promise<void> {
    const { presence, serverName, clock, sender } = this.#deps;
    for (const userId of users) {
      if (serverNameOf(userId) !== serverName) continue;
      const view = presence.viewOf(userId);
      const now = clock.now();
      if (view.presence === 'offline') this.#toldTs.delete(userId);
      else this.#toldTs.set(userId, now);
      const { presence: named, ...rest } = presenceJson(view, now);
      // MSC3026's `busy` is unknown to the specification between servers.
      const push = [{ user_id: userId, presence: named === 'busy' ? 'online' : named, last_active_ago: 0, ...rest }];
      const servers = await sender.serversInAny([...presence.roomsOf(userId)]);
      sender.sendEdu(servers, { type: 'm.presence', content: { push }, key: `presence ${userId}`, isLasting: false });
    }
  }
}

function isNews(payload: unknown): payload is PresenceNews {
  return typeof payload === 'object' && payload !== null && 'users' in payload;
}

type Handler = (origin: ServerName, content: JsonObject) => Promise<void>;

/** What is done with presence of other servers: they speak for their own users, and are heard on those who share a room with ours. */
export function presenceFromServers({
  presence,
  clock,
}: {
  readonly presence: Presence;
  readonly clock: Clock;
}): Map<string, Handler> {
  const take: Handler = async (origin, content) => {
    for (const item of (readArray(content, 'push') ?? []).slice(0, PUSHED_USERS_MAX)) {
      const found = parsePush(item, clock.now());
      if (found !== undefined && serverNameOf(found.userId) === origin)
        await presence.receive(found.userId, found.view);
    }
  };
  return new Map([['m.presence', take]]);
}

function parsePush(item: JsonValue, now: number) {
  if (!isJsonObject(item)) return undefined;
  const userId = parseUserId(readString(item, 'user_id') ?? '');
  const presence = PRESENCES.find((name) => name === item.presence);
  if (userId === undefined || presence === undefined) return undefined;
  const ago = readInteger(item, 'last_active_ago');
  const view = {
    presence,
    statusMsg: readString(item, 'status_msg')?.slice(0, STATUS_CHARACTERS_MAX),
    lastActiveTs: ago === undefined || ago < 0 ? 0 : Math.max(1, now - ago),
    currentlyActive: presence === 'online' && readBoolean(item, 'currently_active') === true,
  };
  return { userId, view };
}

const STATUS_CHARACTERS_MAX = 1_024;
