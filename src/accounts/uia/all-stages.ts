import type { PasswordLogin } from '../password-login.ts';
import type { ThreePids } from '../threepids/threepids.ts';
import { emailStage } from './email.ts';
import { type OAuthApproval, oauthStage } from './oauth.ts';
import { passwordStage } from './password.ts';
import { type RecaptchaKeys, recaptchaStage } from './recaptcha.ts';
import { tokenStage } from './registration-token.ts';
import { ssoStage } from './sso.ts';
import type { Stages } from './stages.ts';
import { type TermsDocument, termsStage } from './terms.ts';

/** What the stages ask. */
export interface StageSources {
  readonly threePids: ThreePids;
  readonly passwordLogin: PasswordLogin;
  readonly recaptcha: RecaptchaKeys | undefined;
  readonly terms: readonly TermsDocument[];
  isTokenValid(token: string): Promise<boolean>;
  /** Undefined where no tokens are given out by OAuth 2.0; the stage is not offered then. */
  oauth(): OAuthApproval | undefined;
}

/** All stages that we know. */
export function allStages(sources: StageSources): Stages {
  const oauth = oauthStage(() => sources.oauth());
  return {
    'm.login.dummy': { isRepeatable: true, attempt: async () => '' },
    'm.login.email.identity': emailStage(sources.threePids),
    'm.login.password': passwordStage(sources.passwordLogin),
    'm.login.recaptcha': recaptchaStage(sources.recaptcha),
    'm.login.registration_token': tokenStage((token) => sources.isTokenValid(token)),
    'm.login.sso': ssoStage(),
    'm.login.terms': termsStage(sources.terms),
    'm.oauth': oauth,
    'org.matrix.cross_signing_reset': oauth,
  };
}
