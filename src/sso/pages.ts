/** The pages of single sign-on: plain HTML without scripts, but for the last page of a proof. Pure: facts in, replies out. */
import { randomBytes } from 'node:crypto';
import { type Reply, reply } from '../http/index.ts';
import { type RefusalReason, SSO_TEXTS, type SsoLanguage } from './texts.ts';

const STYLE = `:root{color-scheme:light dark;--accent:#03795a;--page:light-dark(#fff,#15181c);--text:light-dark(#1c2126,#e7eaee);--soft:light-dark(#f1f3f5,#24292f);--line:light-dark(#7d8794,#838d9a);font:16px/1.6 system-ui,sans-serif}
body{margin:0;background:var(--page);color:var(--text)}main{max-width:34rem;margin:0 auto;padding:clamp(1.5rem,12vh,8rem) 1.25rem 2rem}
h1{margin:0 0 .5rem;font-size:1.75rem;line-height:1.25}code{border-radius:4px;padding:.15em .4em;background:var(--soft);overflow-wrap:anywhere}
a.button,button{display:inline-block;margin:1rem .5rem 0 0;border:1px solid var(--accent);border-radius:8px;padding:.6rem 1.2rem;background:var(--accent);color:#fff;font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
label{display:block;margin:.9rem 0 .25rem;font-weight:600}input{width:100%;box-sizing:border-box;border:1px solid var(--line);border-radius:8px;padding:.55rem .7rem;background:var(--page);color:inherit;font:inherit}
.error{color:light-dark(#b00020,#ff8095)}`;

const STATUS: Readonly<Record<RefusalReason, number>> = {
  unknown_provider: 404,
  bad_redirect: 400,
  expired: 400,
  unreachable: 502,
  denied: 403,
  not_allowed: 403,
  no_account: 403,
  not_linked: 403,
  deactivated: 403,
  locked: 403,
  logged_out: 403,
};

/** What a form of ours needs to be taken. */
export interface FormFacts {
  readonly language: SsoLanguage;
  readonly formToken: string;
  /** The client that gets access, and what a content security policy calls it; undefined where that needs no asking. */
  readonly client: { readonly name: string; readonly policySource: string } | undefined;
}

/** Why it goes no further; `again` is where it begins anew. */
export function refusalPage(language: SsoLanguage, reason: RefusalReason, again?: string): Reply {
  const texts = SSO_TEXTS[language];
  const link = again === undefined ? '' : `<p><a class="button" href="${escapeHtml(again)}">${texts.again}</a></p>`;
  return page({
    language,
    status: STATUS[reason],
    title: texts.failed,
    body: `<p>${texts.refusals[reason]}</p>${link}`,
  });
}

/** Which provider? */
export function choicePage(
  language: SsoLanguage,
  links: readonly { readonly name: string; readonly href: string }[],
): Reply {
  const { title, choose } = SSO_TEXTS[language];
  const buttons = links.map(({ name, href }) => `<a class="button" href="${escapeHtml(href)}">${escapeHtml(name)}</a>`);
  return page({ language, title, body: `<p>${choose}</p><p>${buttons.join('')}</p>` });
}

/** Which name? */
export function namePage(
  facts: FormFacts & {
    readonly serverName: string;
    readonly name: string;
    readonly problem: 'taken' | 'invalid' | undefined;
  },
): Reply {
  const texts = SSO_TEXTS[facts.language];
  const { taken, invalid } = { taken: texts.nameTaken, invalid: texts.nameInvalid };
  const problem = facts.problem === undefined ? '' : facts.problem === 'taken' ? taken : invalid;
  return formPage(
    facts,
    `<p>${texts.chooseName}</p>${problem === '' ? '' : `<p class="error" role="alert">${problem}</p>`}` +
      `<label for="username">${texts.userName} (@…:${escapeHtml(facts.serverName)})</label>` +
      `<input id="username" name="username" value="${escapeHtml(facts.name)}" required maxlength="200" autocapitalize="none" autocomplete="username" spellcheck="false">`,
  );
}

/** May this client have the account? */
export function confirmPage(facts: FormFacts & { readonly userId: string }): Reply {
  const { signedInAs } = SSO_TEXTS[facts.language];
  return formPage(facts, `<p>${signedInAs} <code>${escapeHtml(facts.userId)}</code>.</p>`);
}

/** May what is delicate happen? */
export function proofPage(facts: FormFacts & { readonly userId: string }): Reply {
  const { proof, proofWarning, signedInAs } = SSO_TEXTS[facts.language];
  return formPage(
    facts,
    `<p>${proof}</p><p><strong>${proofWarning}</strong></p><p>${signedInAs} <code>${escapeHtml(facts.userId)}</code>.</p>`,
  );
}

/** The page that tells the client that the stage is complete. Spec: client-server-api/#fallback */
export function proofDonePage(language: SsoLanguage, cookie: string): Reply {
  const nonce = randomBytes(16).toString('base64url');
  const { title, done } = SSO_TEXTS[language];
  const script = `<script nonce="${nonce}">if (window.onAuthDone) window.onAuthDone();
else if (window.opener && window.opener.postMessage) window.opener.postMessage('authDone', '*');</script>`;
  return page({ language, title, body: `<p>${done}</p>${script}`, policy: `script-src 'nonce-${nonce}'`, cookie });
}

export function loggedOutPage(language: SsoLanguage): Reply {
  const { title, loggedOut } = SSO_TEXTS[language];
  return page({ language, title, body: `<p>${loggedOut}</p>` });
}

/** A form that is sent to its own address. Browsers apply form-action to redirects too, so the client is named there. */
function formPage({ language, formToken, client }: FormFacts, fields: string): Reply {
  const { title, access, accessWarning, go } = SSO_TEXTS[language];
  const asked =
    client === undefined
      ? ''
      : `<p>${access} <strong><code>${escapeHtml(client.name)}</code></strong></p><p>${accessWarning}</p>`;
  const token = `<input type="hidden" name="form_token" value="${escapeHtml(formToken)}">`;
  const body = `<form method="post">${token}${fields}${asked}<button>${go}</button></form>`;
  return page({ language, title, body, policy: `form-action 'self' https: http: ${client?.policySource ?? ''}` });
}

function page(facts: {
  readonly language: SsoLanguage;
  readonly title: string;
  readonly body: string;
  readonly status?: number;
  readonly policy?: string;
  readonly cookie?: string;
}): Reply {
  const { language, title, body } = facts;
  const policy = facts.policy?.includes('form-action') ? facts.policy : `form-action 'none'; ${facts.policy ?? ''}`;
  return reply({
    status: facts.status ?? 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; ${policy.trim()}`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      ...(facts.cookie !== undefined && { 'set-cookie': facts.cookie }),
    },
    body: `<!doctype html>
<html lang="${language}">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <title>${title}</title>
    <style>${STYLE}</style>
  </head>
  <body><main><h1>${title}</h1>${body}</main></body>
</html>
`,
  });
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
