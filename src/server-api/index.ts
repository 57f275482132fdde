/** Every route of the server-server API, file by file. */
import type { Accounts } from '../accounts/index.ts';
import type { Clock } from '../clock.ts';
import type { Devices } from '../devices/index.ts';
import type { Federation } from '../federation/index.ts';
import type { Route } from '../http/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Media } from '../media/index.ts';
import type { Rooms } from '../rooms/index.ts';
import type { Streams } from '../streams/index.ts';
import { contentRepositoryRoutes } from './content_repository.ts';
import { eventsRoutes } from './events.ts';
import { invitesRoutes } from './invites.ts';
import { joinsRoutes } from './joins.ts';
import { keysServerRoutes } from './keys.ts';
import { knocksRoutes } from './knocks.ts';
import { leavingRoutes } from './leaving.ts';
import { publicRoomsRoutes } from './public_rooms.ts';
import { type ProfilePolicy, queryRoutes } from './query.ts';
import { spaceHierarchyServerRoutes } from './space_hierarchy.ts';
import { thirdPartyInviteRoutes } from './third_party_invite.ts';
import type { TransactionReceiver } from './transaction-receiver.ts';
import { transactionsRoutes } from './transactions.ts';
import { userDevicesRoutes } from './user_devices.ts';
import { versionRoutes } from './version.ts';

export type { ProfilePolicy } from './query.ts';
export { type EduHandler, TransactionReceiver } from './transaction-receiver.ts';

/** What the server-server API is made of. */
export interface ServerApiParts {
  readonly federation: Federation;
  readonly rooms: Rooms;
  readonly accounts: Accounts;
  readonly identity: Identity;
  readonly devices: Devices;
  readonly media: Media;
  readonly streams: Streams;
  readonly transactions: TransactionReceiver;
  readonly clock: Clock;
  readonly mayLookUp: ProfilePolicy;
}

/** The routes of the server-server API; none where this server doesn't federate. */
export function serverApiRoutes({
  federation,
  rooms,
  accounts,
  identity,
  devices,
  media,
  streams,
  transactions,
  clock,
  mayLookUp,
}: ServerApiParts): readonly Route[] {
  const { federated } = rooms;
  if (federated === undefined) return [];
  return [
    ...contentRepositoryRoutes({ media }),
    ...eventsRoutes({ federated, serverName: accounts.serverName, clock }),
    ...invitesRoutes({ federated }),
    ...joinsRoutes({ federated }),
    ...keysServerRoutes({ federation }),
    ...knocksRoutes({ federated }),
    ...leavingRoutes({ federated }),
    ...publicRoomsRoutes({ reads: rooms.reads }),
    ...queryRoutes({ rooms, accounts, mayLookUp }),
    ...thirdPartyInviteRoutes({ identity, isLocal: accounts.isLocal.bind(accounts) }),
    ...spaceHierarchyServerRoutes({ federated }),
    ...transactionsRoutes({ transactions }),
    ...userDevicesRoutes({ devices, streams, serverName: accounts.serverName }),
    ...versionRoutes(),
  ];
}
