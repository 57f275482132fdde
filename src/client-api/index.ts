/** Every route of the client-server API, file by file in alphabetical order. */
import type { Accounts } from '../accounts/index.ts';
import type { Config } from '../config/index.ts';
import type { Route } from '../http/index.ts';
import { accountDeactivationRoutes } from './account_deactivation.ts';
import { accountDataRoutes } from './account-data.ts';
import { capabilitiesRoutes } from './capabilities.ts';
import { deviceManagementRoutes } from './device_management.ts';
import { filterRoutes } from './filter.ts';
import { loginRoutes } from './login.ts';
import { logoutRoutes } from './logout.ts';
import { passwordManagementRoutes } from './password_management.ts';
import { profileRoutes } from './profile.ts';
import { pushrulesRoutes } from './pushrules.ts';
import { refreshRoutes } from './refresh.ts';
import { registrationRoutes } from './registration.ts';
import { registrationTokensRoutes } from './registration_tokens.ts';
import { supportRoutes } from './support.ts';
import { tagsRoutes } from './tags.ts';
import { versionsRoutes } from './versions.ts';
import { wellknownRoutes } from './wellknown.ts';
import { whoamiRoutes } from './whoami.ts';

/** The domains that the client-server API is made of. */
export interface ClientApiParts {
  readonly accounts: Accounts;
  readonly config: Config;
}

/** The routes of the client-server API. */
export function clientApiRoutes(parts: ClientApiParts): readonly Route[] {
  return [
    ...accountDataRoutes(parts),
    ...accountDeactivationRoutes(parts),
    ...capabilitiesRoutes(parts),
    ...deviceManagementRoutes(parts),
    ...filterRoutes(parts),
    ...loginRoutes(parts),
    ...logoutRoutes(parts),
    ...passwordManagementRoutes(parts),
    ...profileRoutes(parts),
    ...pushrulesRoutes(parts),
    ...refreshRoutes(parts),
    ...registrationRoutes(parts),
    ...registrationTokensRoutes(parts),
    ...supportRoutes(parts),
    ...tagsRoutes(parts),
    ...versionsRoutes(),
    ...wellknownRoutes(parts),
    ...whoamiRoutes(),
  ];
}
