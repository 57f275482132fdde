/** User-interactive authentication. */
export { emailStage } from './email.ts';
export { type OAuthApproval, oauthStage } from './oauth.ts';
export { passwordStage } from './password.ts';
export { type RecaptchaKeys, recaptchaStage } from './recaptcha.ts';
export { tokenStage } from './registration-token.ts';
export { ssoStage } from './sso.ts';
export { type AuthData, requireText, type Stage, StageFailure, type StageName, type Stages } from './stages.ts';
export { type TermsDocument, termsStage } from './terms.ts';
export { type Flow, Uia, type UiaOutcome, type UiaRequest } from './uia.ts';
