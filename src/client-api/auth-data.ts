import { z } from 'zod';
import type { AuthData, Session } from '../accounts/index.ts';

/** The `auth` of requests with user-interactive authentication; what belongs to the stages is kept. */
export const authSchema = z
  .looseObject({ type: z.string().optional(), session: z.string().optional() })
  .nullish()
  .transform((auth): AuthData | undefined => auth ?? undefined);

/** A session as `/login`, `/register` and `/refresh` answer it. */
export function sessionTokens({ accessToken, refreshToken, expiresInMs }: Session) {
  return {
    access_token: accessToken,
    ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
    ...(expiresInMs === undefined ? {} : { expires_in_ms: expiresInMs }),
  };
}
