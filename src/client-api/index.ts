/** Every route of the client-server API, file by file in alphabetical order. */
import type { Accounts } from '../accounts/index.ts';
import type { Config } from '../config/index.ts';
import type { DelayedEvents } from '../delayed-events/index.ts';
import type { EmailDelivery, GatewayClient, Pushers, UnsubscribeLinks } from '../delivery/index.ts';
import type { Devices } from '../devices/index.ts';
import type { Federation } from '../federation/index.ts';
import type { Route } from '../http/index.ts';
import type { Identity } from '../identity/index.ts';
import type { Media } from '../media/index.ts';
import type { Reports } from '../moderation/index.ts';
import type { Presence } from '../presence/index.ts';
import type { Receipts, Rooms, Typing } from '../rooms/index.ts';
import type { Search } from '../search/index.ts';
import type { Sso } from '../sso/index.ts';
import type { Hub } from '../streams/index.ts';
import type { Sync } from '../sync/index.ts';
import type { UserDirectory } from '../user-directory/index.ts';
import { accountDeactivationRoutes } from './account_deactivation.ts';
import { accountDataRoutes } from './account-data.ts';
import { adminRoutes } from './admin.ts';
import { administrativeContactRoutes } from './administrative_contact.ts';
import { authFallbackRoutes } from './auth-fallback.ts';
import { authedContentRepoRoutes } from './authed-content-repo.ts';
import { banningRoutes } from './banning.ts';
import { capabilitiesRoutes } from './capabilities.ts';
import { contentRepoRoutes } from './content-repo.ts';
import { createRoomRoutes } from './create_room.ts';
import { crossSigningRoutes } from './cross_signing.ts';
import { dehydratedDevicesRoutes } from './dehydrated_devices.ts';
import { delayedEventsRoutes, withDelays } from './delayed_events.ts';
import { deviceManagementRoutes } from './device_management.ts';
import { directoryRoutes } from './directory.ts';
import { emailUnsubscribeRoutes } from './email-unsubscribe.ts';
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
import { loginTokenRoutes } from './login_token.ts';
import { logoutRoutes } from './logout.ts';
import { messagePaginationRoutes } from './message_pagination.ts';
import { mutualRoomsRoutes } from './mutual_rooms.ts';
import { notificationsRoutes } from './notifications.ts';
import { oldSyncRoutes } from './old_sync.ts';
import { openidRoutes } from './openid.ts';
import { passwordManagementRoutes } from './password_management.ts';
import { policyServerRoutes } from './policy_server.ts';
import { presenceRoutes, withPresence } from './presence.ts';
import { profileRoutes } from './profile.ts';
import { pusherRoutes } from './pusher.ts';
import { pushrulesRoutes } from './pushrules.ts';
import { readMarkersRoutes } from './read_markers.ts';
import { receiptsRoutes } from './receipts.ts';
import { redactionRoutes } from './redaction.ts';
import { refreshRoutes } from './refresh.ts';
import { registrationRoutes } from './registration.ts';
import { registrationTokensRoutes } from './registration_tokens.ts';
import { relationsRoutes } from './relations.ts';
import { reportContentRoutes } from './report_content.ts';
import { roomEventByTimestampRoutes } from './room_event_by_timestamp.ts';
import { roomInitialSyncRoutes } from './room_initial_sync.ts';
import { roomSendRoutes } from './room_send.ts';
import { roomStateRoutes } from './room_state.ts';
import { roomSummaryRoutes } from './room_summary.ts';
import { roomUpgradesRoutes } from './room_upgrades.ts';
import { roomsRoutes } from './rooms.ts';
import { searchRoutes } from './search.ts';
import { spaceHierarchyRoutes } from './space_hierarchy.ts';
import { ssoLoginRedirectRoutes } from './sso_login_redirect.ts';
import { ssoPagesRoutes } from './sso-pages.ts';
import { supportRoutes } from './support.ts';
import { syncRoutes } from './sync.ts';
import { tagsRoutes } from './tags.ts';
import { thirdPartyLookupRoutes } from './third_party_lookup.ts';
import { threadsListRoutes } from './threads_list.ts';
import { toDeviceRoutes } from './to_device.ts';
import { typingRoutes } from './typing.ts';
import { usersRoutes } from './users.ts';
import { versionsRoutes } from './versions.ts';
import { voipRoutes } from './voip.ts';
import { wellknownRoutes } from './wellknown.ts';
import { whoamiRoutes } from './whoami.ts';

/** The domains that the client-server API is made of. */
export interface ClientApiParts {
  readonly delayedEvents: DelayedEvents;
  readonly emailDelivery: EmailDelivery;
  readonly unsubscribeLinks: UnsubscribeLinks;
  readonly gateway: GatewayClient;
  readonly hub: Hub;
  readonly pushers: Pushers;
  readonly reports: Reports;
  readonly search: Search;
  readonly userDirectory: UserDirectory;
  readonly accounts: Accounts;
  readonly config: Config;
  readonly devices: Devices;
  readonly federation: Federation | undefined;
  readonly identity: Identity;
  readonly media: Media;
  readonly rooms: Rooms;
  readonly receipts: Receipts;
  readonly typing: Typing;
  readonly presence: Presence;
  readonly sso: Sso;
  readonly sync: Sync;
}

/** The routes of the client-server API. */
export function clientApiRoutes(parts: ClientApiParts): readonly Route[] {
  const { accounts, rooms, receipts, sync, typing, presence } = parts;
  const { reads } = rooms;
  const routes: readonly Route[] = [
    ...accountDataRoutes(parts),
    ...accountDeactivationRoutes(parts),
    ...adminRoutes(parts),
    ...administrativeContactRoutes(parts),
    ...authFallbackRoutes(parts),
    ...authedContentRepoRoutes(parts),
    ...banningRoutes({ rooms }),
    ...capabilitiesRoutes(parts),
    ...contentRepoRoutes(parts),
    ...createRoomRoutes(parts),
    ...crossSigningRoutes(parts),
    ...dehydratedDevicesRoutes(parts),
    ...delayedEventsRoutes(parts),
    ...deviceManagementRoutes(parts),
    ...directoryRoutes({ rooms }),
    ...emailUnsubscribeRoutes(parts),
    ...eventContextRoutes({ reads }),
    ...filterRoutes(parts),
    ...invitingRoutes(parts),
    ...joiningRoutes(parts),
    ...kickingRoutes({ rooms }),
    ...keyBackupRoutes(parts),
    ...keysRoutes(parts),
    ...knockingRoutes({ rooms }),
    ...leavingRoutes({ rooms }),
    ...listJoinedRoomsRoutes({ reads }),
    ...listPublicRoomsRoutes({ reads, serverName: accounts.serverName, federation: parts.federation }),
    ...loginRoutes(parts),
    ...loginTokenRoutes(parts),
    ...logoutRoutes(parts),
    ...messagePaginationRoutes({ reads }),
    ...mutualRoomsRoutes(parts),
    ...notificationsRoutes(parts),
    ...oldSyncRoutes(parts),
    ...openidRoutes(parts),
    ...passwordManagementRoutes(parts),
    ...policyServerRoutes(parts),
    ...presenceRoutes(parts),
    ...profileRoutes(parts),
    ...pusherRoutes(parts),
    ...pushrulesRoutes(parts),
    ...readMarkersRoutes({ receipts }),
    ...receiptsRoutes({ receipts }),
    ...redactionRoutes({ rooms }),
    ...refreshRoutes(parts),
    ...registrationRoutes(parts),
    ...registrationTokensRoutes(parts),
    ...reportContentRoutes(parts),
    ...relationsRoutes({ reads }),
    ...roomEventByTimestampRoutes({ reads }),
    ...roomInitialSyncRoutes(parts),
    ...roomSendRoutes({ rooms }),
    ...roomStateRoutes({ rooms }),
    ...roomSummaryRoutes({ rooms }),
    ...roomUpgradesRoutes({ rooms }),
    ...roomsRoutes({ reads }),
    ...searchRoutes(parts),
    ...spaceHierarchyRoutes({ reads }),
    ...ssoLoginRedirectRoutes(parts),
    ...ssoPagesRoutes(parts),
    ...supportRoutes(parts),
    ...syncRoutes({ sync, filters: accounts.filters, presence }),
    ...tagsRoutes(parts),
    ...threadsListRoutes({ reads }),
    ...toDeviceRoutes(parts),
    ...thirdPartyLookupRoutes(),
    ...typingRoutes({ reads, typing }),
    ...usersRoutes(parts),
    ...voipRoutes(parts),
    ...versionsRoutes(parts),
    ...wellknownRoutes(parts),
    ...whoamiRoutes(),
  ];
  return withPresence(withDelays(routes, parts.delayedEvents), presence);
}
