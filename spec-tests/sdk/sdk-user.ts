import { setTimeout as sleep } from 'node:timers/promises';
import loglevel from 'loglevel';
import { ClientEvent, createClient, type IStartClientOpts, type MatrixClient, SyncState } from 'matrix-js-sdk';
import type { Logger } from 'matrix-js-sdk/lib/logger.js';
import { releaseLongTimers } from './long-timers.ts';

releaseLongTimers();

/** What the library doesn't log through a client's own logger. */
loglevel.getLogger('matrix').setLevel('silent');

/** The library logs each request to the console unless told otherwise. */
export const silent: Logger = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  getChild: () => silent,
};

/** How long a test waits for something that should come at once. */
const PATIENCE_MS = 15_000;

type Probed<T> = T | undefined | null | false;

/** Waits until `probe` gives something truthy, and returns it. */
export async function eventually<T>(what: string, probe: () => Probed<T> | Promise<Probed<T>>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await sleep(20);
  }
}

/** A person on a running `matrix-js-sdk` client, syncing. */
export class SdkUser {
  readonly client: MatrixClient;
  readonly userId: string;
  readonly #session: Session;

  private constructor(session: Session, client: MatrixClient) {
    this.client = client;
    this.userId = session.userId;
    this.#session = session;
  }

  /** Registers an account with the password `password` and starts a client for it. */
  static async register(baseUrl: string, username: string): Promise<SdkUser> {
    const anonymous = createClient({ baseUrl, logger: silent });
    const {
      user_id: userId,
      access_token: accessToken,
      device_id: deviceId,
    } = await anonymous.registerRequest({
      username,
      password: 'password',
      auth: { type: 'm.login.dummy' },
    });
    if (!accessToken || !deviceId) throw new Error('The registration gave no token');
    return await SdkUser.#start({ baseUrl, userId, accessToken, deviceId });
  }

  /** The same session on a new client, which knows nothing yet. */
  async again(options?: IStartClientOpts): Promise<SdkUser> {
    return await SdkUser.#start(this.#session, options);
  }

  static async #start(session: Session, options: IStartClientOpts = { initialSyncLimit: 50 }): Promise<SdkUser> {
    const client = createClient({ ...session, logger: silent });
    const prepared = new Promise<void>((resolve, reject) => {
      client.on(ClientEvent.Sync, (state, _previous, data) => {
        if (state === SyncState.Prepared) resolve();
        if (state === SyncState.Error) reject(data?.error ?? new Error('The sync failed'));
      });
    });
    await client.startClient(options);
    await prepared;
    return new SdkUser(session, client);
  }

  /** The texts of the messages in a room's live timeline, as the client shows them: edited, without redacted ones. */
  bodies(roomId: string): string[] {
    const events = this.client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
    return events
      .filter((event) => event.getType() === 'm.room.message' && !event.isRedacted() && !event.isRelation('m.replace'))
      .map((event) => String(event.getContent().body));
  }

  stop(): void {
    this.client.stopClient();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
  }
}

interface Session {
  readonly baseUrl: string;
  readonly userId: string;
  readonly accessToken: string;
  readonly deviceId: string;
}
