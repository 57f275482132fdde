/** Every route of the client-server API, file by file in alphabetical order. */
import type { Accounts } from '../accounts/index.ts';
import type { Config } from '../config/index.ts';
import type { Devices } from '../devices/index.ts';
import type { Route } from '../http/index.ts';
import type { Media } from '../media/index.ts';
import type { Receipts, Rooms, Typing } from '../rooms/index.ts';
import type { Search } from '../search/index.ts';
import type { Sync } from '../sync/index.ts';
import { accountDeactivationRoutes } from './account_deactivation.ts';
import { accountDataRoutes } from './account-data.ts';
import { authedContentRepoRoutes } from './authed-content-repo.ts';
import { banningRoutes } from './banning.ts';
import { capabilitiesRoutes } from './capabilities.ts';
import { contentRepoRoutes } from './content-repo.ts';
import { createRoomRoutes } from './create_room.ts';
import { crossSigningRoutes } from './cross_signing.ts';
import { dehydratedDevicesRoutes } from './dehydrated_devices.ts';
import { deviceManagementRoutes } from './device_management.ts';
import { directoryRoutes } from './directory.ts';
import { eventContextRoutes } from './event_context.ts';
import { filterRoutes } from './filter.ts';
import { invitingRoutes } from './inviting.ts';
import { joiningRoutes } from './joining.ts';
import { keyBackupRoutes } from './key_backup.ts';
import { keysRoutes } from './keys.ts';
import { kickingRoutes } from './kicking.ts';
import { knockingRoutes } from './knocking.ts';
import { leavingRoutes } from './leaving.ts';
import { listJoinedRoomsRoutes } from './list_joined_rooms.ts';
import { listPublicRoomsRoutes } from './list_public_rooms.ts';
import { loginRoutes } from './login.ts';
import { logoutRoutes } from './logout.ts';
import { messagePaginationRoutes } from './message_pagination.ts';
import { passwordManagementRoutes } from './password_management.ts';
import { profileRoutes } from './profile.ts';
import { pushrulesRoutes } from './pushrules.ts';
import { readMarkersRoutes } from './read_markers.ts';
import { receiptsRoutes } from './receipts.ts';
import { redactionRoutes } from './redaction.ts';
import { refreshRoutes } from './refresh.ts';
import { registrationRoutes } from './registration.ts';
import { registrationTokensRoutes } from './registration_tokens.ts';
import { roomEventByTimestampRoutes } from './room_event_by_timestamp.ts';
import { roomSendRoutes } from './room_send.ts';
import { roomStateRoutes } from './room_state.ts';
import { roomUpgradesRoutes } from './room_upgrades.ts';
import { roomsRoutes } from './rooms.ts';
import { searchRoutes } from './search.ts';
import { supportRoutes } from './support.ts';
import { syncRoutes } from './sync.ts';
import { tagsRoutes } from './tags.ts';
import { toDeviceRoutes } from './to_device.ts';
import { typingRoutes } from './typing.ts';
import { versionsRoutes } from './versions.ts';
import { wellknownRoutes } from './wellknown.ts';
import { whoamiRoutes } from './whoami.ts';

/** The domains that the client-server API is made of. */
export interface ClientApiParts {
  readonly search: Search;
  readonly accounts: Accounts;
  readonly config: Config;
  readonly devices: Devices;
  readonly media: Media;
  readonly rooms: Rooms;
  readonly receipts: Receipts;
  readonly typing: Typing;
  readonly sync: Sync;
}

/** The routes of the client-server API. */
export function clientApiRoutes(parts: ClientApiParts): readonly Route[] {
  const { accounts, rooms, receipts, sync, typing } = parts;
  const { reads } = rooms;
  return [
    ...accountDataRoutes(parts),
    ...accountDeactivationRoutes(parts),
    ...authedContentRepoRoutes(parts),
    ...banningRoutes({ rooms }),
    ...capabilitiesRoutes(parts),
    ...contentRepoRoutes(parts),
    ...createRoomRoutes({ rooms }),
    ...crossSigningRoutes(parts),
    ...dehydratedDevicesRoutes(parts),
    ...deviceManagementRoutes(parts),
    ...directoryRoutes({ rooms }),
    ...eventContextRoutes({ reads }),
    ...filterRoutes(parts),
    ...invitingRoutes({ rooms }),
    ...joiningRoutes({ rooms }),
    ...kickingRoutes({ rooms }),
    ...keyBackupRoutes(parts),
    ...keysRoutes(parts),
    ...knockingRoutes({ rooms }),
    ...leavingRoutes({ rooms }),
    ...listJoinedRoomsRoutes({ reads }),
    ...listPublicRoomsRoutes({ reads, serverName: accounts.serverName }),
    ...loginRoutes(parts),
    ...logoutRoutes(parts),
    ...messagePaginationRoutes({ reads }),
    ...passwordManagementRoutes(parts),
    ...profileRoutes(parts),
    ...pushrulesRoutes(parts),
    ...readMarkersRoutes({ receipts }),
    ...receiptsRoutes({ receipts }),
    ...redactionRoutes({ rooms }),
    ...refreshRoutes(parts),
    ...registrationRoutes(parts),
    ...registrationTokensRoutes(parts),
    ...roomEventByTimestampRoutes({ reads }),
    ...roomSendRoutes({ rooms }),
    ...roomStateRoutes({ rooms }),
    ...roomUpgradesRoutes({ rooms }),
    ...roomsRoutes({ reads }),
    ...searchRoutes(parts),
    ...supportRoutes(parts),
    ...syncRoutes({ sync, filters: accounts.filters }),
    ...tagsRoutes(parts),
    ...toDeviceRoutes(parts),
    ...typingRoutes({ reads, typing }),
    ...versionsRoutes(),
    ...wellknownRoutes(parts),
    ...whoamiRoutes(),
  ];
}
