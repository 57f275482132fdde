import type { PasswordLogin } from '../password-login.ts';
import { type AuthData, requireText, type Stage, StageFailure } from './stages.ts';

/** `m.login.password`: whoever is logged in shows that they know their password. Spec: client-server-api/#password-based */
export function passwordStage(login: PasswordLogin): Stage {
  return {
    isRepeatable: true,
    attempt: async (auth, { userId }) => {
      const account = await login.check(userOf(auth) ?? userId ?? '', requireText(auth, 'password'));
      if (account === undefined || account.user_id !== userId) throw new StageFailure('M_FORBIDDEN', 'Wrong password');
      return account.user_id;
    },
  };
}

/** The user that the client names, by today's identifier or by the older `user`. */
function userOf(auth: AuthData): string | undefined {
  const { identifier, user } = auth;
  if (typeof identifier !== 'object' || identifier === null) return typeof user === 'string' ? user : undefined;
  if ('type' in identifier && identifier.type !== 'm.id.user') {
    throw new StageFailure('M_FORBIDDEN', 'Only user names can be used to log in here');
  }
  return 'user' in identifier && typeof identifier.user === 'string' ? identifier.user : undefined;
}
