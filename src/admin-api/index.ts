/** Every route of the admin API. */
import type { Accounts } from '../accounts/index.ts';
import type { Route } from '../http/index.ts';
import type { Media } from '../media/index.ts';
import { adminMediaRoutes } from './media.ts';
import { adminRegisterRoutes } from './register.ts';

/** The domains that the admin API is made of. */
export interface AdminApiParts {
  readonly accounts: Accounts;
  readonly media: Media;
}

/** The routes that administrators and their tools call, file by file. */
export function adminApiRoutes(parts: AdminApiParts): readonly Route[] {
  return [...adminMediaRoutes(parts), ...adminRegisterRoutes(parts)];
}
