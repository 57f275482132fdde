/** Every route of the admin API. */
import type { Accounts } from '../accounts/index.ts';
import type { Route } from '../http/index.ts';
import type { Media } from '../media/index.ts';
import type { Reports, ServerNotices } from '../moderation/index.ts';
import type { Rooms } from '../rooms/index.ts';
import { adminReportsRoutes } from './event_reports.ts';
import { adminMediaRoutes } from './media.ts';
import { adminRegisterRoutes } from './register.ts';
import { adminRestrictionsRoutes } from './restrictions.ts';
import { adminServerNoticesRoutes } from './server_notices.ts';

/** The domains that the admin API is made of. */
export interface AdminApiParts {
  readonly accounts: Accounts;
  readonly media: Media;
  readonly reports: Reports;
  readonly rooms: Rooms;
  readonly serverNotices: ServerNotices;
}

/** The routes that administrators and their tools call, file by file. */
export function adminApiRoutes(parts: AdminApiParts): readonly Route[] {
  return [
    ...adminReportsRoutes(parts),
    ...adminMediaRoutes(parts),
    ...adminRegisterRoutes(parts),
    ...adminRestrictionsRoutes(parts),
    ...adminServerNoticesRoutes(parts),
  ];
}
