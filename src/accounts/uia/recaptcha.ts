import type { Remote } from '../../http/route.ts';
import { requireText, type Stage, StageFailure } from './stages.ts';

/** The keys of a captcha service that speaks reCAPTCHA's protocol. */
export interface RecaptchaKeys {
  readonly site_key: string;
  readonly secret_key: string;
  readonly verify_url: string;
}

const TIMEOUT_MS = 10_000;

/** `m.login.recaptcha`: the answer is checked with the service. Spec: client-server-api/#google-recaptcha */
export function recaptchaStage(keys: RecaptchaKeys | undefined): Stage {
  return {
    isRepeatable: false,
    params: () => ({ public_key: keys?.site_key ?? '' }),
    attempt: async (auth, { remote }) => {
      const response = requireText(auth, 'response', 'M_CAPTCHA_NEEDED');
      if (keys === undefined || !(await isRight(keys, response, remote))) {
        throw new StageFailure('M_CAPTCHA_INVALID', 'The captcha was not solved');
      }
      return '';
    },
  };
}

async function isRight(keys: RecaptchaKeys, response: string, remote: Remote): Promise<boolean> {
  const body = new URLSearchParams({ secret: keys.secret_key, response, remoteip: remote.ip });
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  let verdict: unknown;
  try {
    const answer = await fetch(keys.verify_url, { method: 'POST', body, signal, redirect: 'error' });
    verdict = await answer.json();
  } catch {
    throw new StageFailure('M_CAPTCHA_INVALID', 'The captcha service can not be reached; try again later');
  }
  return typeof verdict === 'object' && verdict !== null && 'success' in verdict && verdict.success === true;
}
