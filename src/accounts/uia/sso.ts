import { type Stage, StageFailure } from './stages.ts';

/** `m.login.sso`: gone through in a browser only, after which the session alone is enough. Spec: client-server-api/#sso-during-user-interactive-authentication */
export function ssoStage(): Stage {
  return {
    isRepeatable: false,
    attempt: async () => {
      throw new StageFailure('M_FORBIDDEN', 'Open the fallback page of this stage in a browser');
    },
  };
}
