import { requireText, type Stage, StageFailure } from './stages.ts';

/** `m.login.registration_token`; the token is used up when the account is made. Spec: client-server-api/#token-authenticated-registration */
export function tokenStage(isValid: (token: string) => Promise<boolean>): Stage {
  return {
    isRepeatable: false,
    attempt: async (auth) => {
      const token = requireText(auth, 'token');
      if (!(await isValid(token))) throw new StageFailure('M_UNAUTHORIZED', 'The registration token is not valid');
      return token;
    },
  };
}
