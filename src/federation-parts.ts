/** A part of the composition root: how this server takes part in rooms with others. */
import type { Accounts } from './accounts/index.ts';
import type { Clock } from './clock.ts';
import type { Config } from './config/index.ts';
import { DevicesToServers, devicesFromServers } from './delivery/federation-devices.ts';
import { EphemeralToServers, ephemeralFromServers } from './delivery/federation-ephemeral.ts';
import { PresenceToServers, presenceFromServers } from './delivery/federation-presence.ts';
import {
  DurableEdus,
  EduOutbox,
  eduOutboxMigrations,
  FederationSender,
  federationDeliveryMigrations,
  toDeviceOutboxMigrations,
} from './delivery/index.ts';
import { Federation, federationMigrations } from './federation/index.ts';
import type { Route } from './http/index.ts';
import type { Identity } from './identity/index.ts';
import type { Media } from './media/index.ts';
import type { SigningKey } from './protocol/crypto/index.ts';
import type { RoomParts } from './room-parts.ts';
import type { Rooms } from './rooms/index.ts';
import { type ProfilePolicy, serverApiRoutes, TransactionReceiver } from './server-api/index.ts';
import { type Database, joinMigrations } from './storage/index.ts';
import { Cursors, type Hub } from './streams/index.ts';
import type { Logger } from './telemetry/log.ts';
import { VERSION } from './version.ts';

/** What these parts are built on. */
export interface FederationPartsDeps extends RoomParts {
  readonly config: Pick<Config, 'federation'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly database: Database;
  readonly hub: Hub;
  readonly accounts: Accounts;
  readonly identity: Identity;
  readonly media: Media;
  readonly federation: Federation | undefined;
}

/** These parts. Disposing of them stops what `startSending` has started. */
export interface FederationParts extends AsyncDisposable {
  readonly federation: Federation | undefined;
  /** The routes of the server-server API. */
  readonly federationRoutes: readonly Route[];
  /** Begins to send to other servers. */
  startSending(): Promise<void>;
}

export const allFederationMigrations = joinMigrations(
  federationMigrations,
  federationDeliveryMigrations,
  toDeviceOutboxMigrations,
  eduOutboxMigrations,
);

/** Spec: server-server-api/#get_matrixfederationv1queryprofile */
function profilePolicy(
  lookups: Config['federation']['profile_lookups'],
  rooms: Rooms,
  sender: FederationSender,
): ProfilePolicy {
  if (lookups !== 'shared_rooms') return async () => lookups === 'everyone';
  return async (origin, userId) => (await sender.serversInAny(await rooms.joinedRooms(userId))).has(origin);
}

/** The way to other servers; undefined where the configuration switches it off. */
export function makeFederation(deps: {
  readonly config: Config;
  readonly clock: Clock;
  readonly database: Database;
  readonly accounts: Accounts;
  readonly signingKeys: readonly [SigningKey, ...SigningKey[]];
}): Federation | undefined {
  if (!deps.config.federation.enabled) return undefined;
  const { accounts, ...rest } = deps;
  return new Federation({
    ...rest,
    serverName: accounts.serverName,
    userAgent: `Inglenook/${VERSION}`,
    random: Math.random,
  });
}

/** Makes the parts; nothing is sent before `startSending`. */
export function makeFederationParts(deps: FederationPartsDeps): FederationParts {
  const {
    federation,
    rooms,
    accounts,
    identity,
    clock,
    database,
    streams,
    hub,
    logger,
    receipts,
    typing,
    devices,
    outbox,
    presence,
  } = deps;
  const { federated } = rooms;
  if (federation === undefined || federated === undefined) return NO_FEDERATION;
  const log = logger.child({ part: 'federation' });
  const eduOutbox = new EduOutbox();
  const consumer = { database, streams, hub, cursors: new Cursors(), log };
  const sender = new FederationSender({
    ...consumer,
    edus: new DurableEdus(database, outbox, eduOutbox),
    clock,
    federation,
    rooms,
  });
  const ephemeral = new EphemeralToServers({
    database,
    hub,
    typing,
    rooms,
    sender,
    serverName: accounts.serverName,
    log,
  });
  const { serverName } = accounts;
  const deviceNews = new DevicesToServers({ ...consumer, devices, rooms, sender, outbox: eduOutbox, serverName });
  const presenceNews = new PresenceToServers({ hub, clock, presence, sender, serverName, log });
  const edus = new Map([
    ...ephemeralFromServers({ rooms, receipts, typing }),
    ...presenceFromServers({ presence, clock }),
    ...devicesFromServers({ database, devices }),
  ]);
  const transactions = new TransactionReceiver(federated, edus, log);
  return {
    federation,
    federationRoutes: serverApiRoutes({
      federation,
      rooms,
      accounts,
      identity,
      devices,
      media: deps.media,
      streams,
      transactions,
      clock,
      mayLookUp: profilePolicy(deps.config.federation.profile_lookups, rooms, sender),
    }),
    startSending: async () => {
      await sender.start();
      ephemeral.start();
      deviceNews.start();
      presenceNews.start();
      federated.completion.start();
    },
    [Symbol.asyncDispose]: async () => {
      await federated.completion[Symbol.asyncDispose]();
      ephemeral[Symbol.dispose]();
      presenceNews[Symbol.dispose]();
      await deviceNews[Symbol.asyncDispose]();
      await sender[Symbol.asyncDispose]();
      await federation[Symbol.asyncDispose]();
    },
  };
}

const NO_FEDERATION: FederationParts = {
  federation: undefined,
  federationRoutes: [],
  startSending: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};
