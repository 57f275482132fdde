/** A part of the composition root: what stands on the rooms and is there for clients only, such as search. */
import { z } from 'zod';
import type { Accounts } from './accounts/index.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/index.ts';
import { DelayedEvents, delayedEventsMigrations } from './delayed-events/index.ts';
import {
  deliveryMigrations,
  EmailDelivery,
  emailPusherMigrations,
  GatewayClient,
  PushDelivery,
  Pushers,
  PushFollower,
  UnsubscribeLinks,
} from './delivery/index.ts';
import type { Mailer } from './email/index.ts';
import type { RateLimits } from './http/index.ts';
import { type Jobs, job } from './jobs/index.ts';
import type { Media } from './media/index.ts';
import { moderationMigrations, Reports, ServerNotices, serverNoticesMigrations } from './moderation/index.ts';
import type { RoomParts } from './room-parts.ts';
import { Search, SearchIndexer, searchMigrations } from './search/index.ts';
import { Sso, ssoMigrations } from './sso/index.ts';
import { givePicture } from './sso/pictures.ts';
import { type Database, joinMigrations } from './storage/index.ts';
import { Cursors, type Hub } from './streams/index.ts';
import type { Logger } from './telemetry/log.ts';
import { UserDirectory, UserDirectoryIndexer, userDirectoryMigrations } from './user-directory/index.ts';

const EXPIRED_EVERY_MS = 3_600_000;

/** What these parts are built on. */
export interface ClientPartsDeps extends RoomParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly database: Database;
  readonly hub: Hub;
  readonly jobs: Jobs;
  readonly accounts: Accounts;
  readonly media: Media;
  readonly rateLimits: RateLimits;
  readonly mailer: Mailer | undefined;
}

/** These parts. Disposing of them stops what `startFollowing` has started. */
export interface ClientParts extends AsyncDisposable {
  readonly delayedEvents: DelayedEvents;
  readonly emailDelivery: EmailDelivery;
  readonly unsubscribeLinks: UnsubscribeLinks;
  readonly gateway: GatewayClient;
  readonly hub: Hub;
  readonly pushers: Pushers;
  readonly reports: Reports;
  readonly serverNotices: ServerNotices;
  readonly search: Search;
  readonly searchIndexer: SearchIndexer;
  readonly sso: Sso;
  readonly userDirectory: UserDirectory;
  /** Begins to follow the streams. */
  startFollowing(): Promise<void>;
}

export const clientMigrations = joinMigrations(
  searchMigrations,
  userDirectoryMigrations,
  moderationMigrations,
  serverNoticesMigrations,
  deliveryMigrations,
  emailPusherMigrations,
  delayedEventsMigrations,
  ssoMigrations,
);

/** Makes the parts; nothing runs before `startFollowing`. */
export async function makeClientParts(deps: ClientPartsDeps): Promise<ClientParts> {
  const { config, clock, database, hub, streams, rooms, accounts, presence, jobs, unread, rateLimits, logger } = deps;
  const parts = new AsyncDisposableStack();
  parts.use(presence);
  const consumers = { database, streams, hub, cursors: new Cursors(), log: logger.child({ part: 'consumers' }) };
  const isLocal = accounts.isLocal.bind(accounts);
  const searchIndexer = parts.use(new SearchIndexer({ ...consumers, events: rooms.events }));
  const usersIndexer = parts.use(new UserDirectoryIndexer({ ...consumers, events: rooms.events, isLocal }));
  const userDirectory = new UserDirectory({
    database,
    indexer: usersIndexer,
    accounts: { isLocal, activeAmong: (userIds) => accounts.users.activeAmong(userIds) },
    allLocalUsers: config.user_directory.all_local_users,
  });
  const gateway = parts.use(new GatewayClient({ allowsPrivate: config.push.private_gateways }));
  const pushers = new Pushers(database, clock);
  accounts.devices.onDeleted((tx, userId, deviceIds) => pushers.deleteOfDevices(tx, userId, deviceIds));
  accounts.users.onDeactivated((tx, userId) => pushers.deleteAllOf(tx, userId));
  const { reading, events } = rooms;
  const includesContent = config.push.include_content;
  jobs.declare(new PushDelivery({ database, streams, reading, unread, pushers, gateway, includesContent }).job());
  const publicUrl = (config.server.public_url ?? `https://${accounts.serverName}`).replace(/\/+$/, '');
  const unsubscribeLinks = new UnsubscribeLinks(await accounts.secret('unsubscribe'), publicUrl, pushers);
  const { notifications } = config.email;
  const hidesInvite = accounts.invitePolicy.hidesInvites.bind(accounts.invitePolicy);
  const emailDelivery = new EmailDelivery({
    database,
    streams,
    jobs,
    clock,
    reading,
    pushers,
    mailer: notifications.enabled ? deps.mailer : undefined,
    links: unsubscribeLinks,
    accounts: {
      userOf: accounts.threePids.userOf.bind(accounts.threePids),
      hidesInvite,
      pushRulesOf: (userId) => accounts.pushRules.get(userId),
    },
    rules: {
      appName: config.email.app_name,
      homeUrl: publicUrl,
      showsContent: notifications.include_content,
      delayMs: notifications.delay,
      pauseMsMax: notifications.pause_max,
    },
  });
  const pushFollower = parts.use(
    new PushFollower({
      ...consumers,
      events,
      jobs,
      pushers,
      emails: emailDelivery,
      accounts: {
        ignoredUsers: (userId) => accounts.ignoredUsers(userId),
        pushRulesOf: (userId) => accounts.pushRules.get(userId),
        hidesInvite,
      },
    }),
  );
  const delayedEvents = new DelayedEvents({
    database,
    jobs,
    rooms,
    clock,
    rateLimits,
    accounts: { find: accounts.users.find.bind(accounts.users) },
    delayMsMax: config.delayed_events.delay_max,
    perUserMax: config.delayed_events.per_user_max,
  });
  jobs.declare(...delayedEvents.jobs());
  const sso = parts.use(makeSso(deps));
  return {
    delayedEvents,
    emailDelivery,
    unsubscribeLinks,
    gateway,
    hub,
    pushers,
    reports: new Reports({ database, rooms, clock }),
    serverNotices: new ServerNotices({ database, accounts, rooms, config: config.server_notices }),
    search: new Search(rooms.reading, searchIndexer),
    searchIndexer,
    sso,
    userDirectory,
    startFollowing: async () => {
      await pushers.load();
      pushFollower.start();
      searchIndexer.start();
      usersIndexer.start();
      presence.start();
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function makeSso({ config, clock, logger, database, jobs, accounts, media }: ClientPartsDeps): Sso {
  const pictures = { accounts, media, allowedAddresses: config.media.previews.allowed_addresses };
  const log = logger.child({ part: 'sso' });
  const sso = new Sso({
    ...{ config, clock, log, database, jobs, accounts },
    givePicture: (userId, url, issuer) => givePicture(pictures, userId, url, issuer),
  });
  jobs.declare(
    job({
      name: 'sso.delete_expired',
      payload: z.object({}),
      everyMs: EXPIRED_EVERY_MS,
      handle: () => sso.deleteExpired(),
    }),
  );
  return sso;
}
