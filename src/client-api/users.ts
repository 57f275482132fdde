/** Spec: data/api/client-server/users.yaml */
import { z } from 'zod';
import type { Config } from '../config/index.ts';
import { type Route, route } from '../http/route.ts';
import { forbidden } from '../protocol/errors.ts';
import type { UserDirectory } from '../user-directory/index.ts';
import { v3 } from './paths.ts';

const LIMIT_DEFAULT = 10;
const LIMIT_MAX = 50;

/** The search for users. */
export function usersRoutes(parts: {
  readonly userDirectory: UserDirectory;
  readonly config: Pick<Config, 'user_directory'>;
}): Route[] {
  const { userDirectory, config } = parts;
  return [
    route({
      method: 'POST',
      path: v3('/user_directory/search'),
      operationId: 'searchUserDirectory',
      spec: 'client-server-api/#post_matrixclientv3user_directorysearch',
      auth: 'user',
      allowSuspended: true,
      rateLimit: 'search',
      body: z.object({ search_term: z.string().max(1000), limit: z.int().min(1).default(LIMIT_DEFAULT) }),
      handle: async ({ requester: { userId }, body }) => {
        if (!config.user_directory.enabled) throw forbidden('The user directory is switched off');
        const limit = Math.min(body.limit, LIMIT_MAX);
        const { users, limited } = await userDirectory.find(userId, body.search_term, limit);
        const results = users.map(({ userId: user_id, displayName, avatarUrl }) => ({
          user_id,
          ...(displayName === undefined ? {} : { display_name: displayName }),
          ...(avatarUrl === undefined ? {} : { avatar_url: avatarUrl }),
        }));
        return { results, limited };
      },
    }),
  ];
}
