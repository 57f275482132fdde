/** The pages of stages that a client leaves to a browser. Pure: facts in, HTML out. */
import type { StageName } from '../accounts/index.ts';
import { isJsonObject, type JsonObject, readObject, readString } from '../protocol/json/index.ts';

/** The stages that can be gone through on a page. E-mail addresses are confirmed by the link in the message instead, and single sign-on and OAuth have pages of their own. */
export type FallbackStage = Exclude<
  StageName,
  'm.login.email.identity' | 'm.login.sso' | 'm.oauth' | 'org.matrix.cross_signing_reset'
>;

/** The page's texts in one language. */
interface Texts {
  readonly title: string;
  readonly go: string;
  readonly done: string;
  readonly failed: string;
  readonly agree: string;
  readonly token: string;
  readonly user: string;
  readonly password: string;
}

const TEXTS: Readonly<Record<'en' | 'zh', Texts>> = {
  en: {
    title: 'One more step',
    go: 'Continue',
    done: 'Done. You can close this page and go back to your app.',
    failed: 'That did not work: ',
    agree: 'I have read and accept:',
    token: 'Registration token',
    user: 'User name',
    password: 'Password',
  },
  zh: {
    title: '还差一步',
    go: '继续',
    done: '完成。您可以关闭此页面，返回应用。',
    failed: '未能成功：',
    agree: '我已阅读并接受：',
    token: '注册令牌',
    user: '用户名',
    password: '密码',
  },
};

/** Where a captcha's script and frames come from. */
const CAPTCHA_SOURCES = 'https://www.recaptcha.net https://www.gstatic.com https://www.google.com';

/** What a page is made of. */
export interface FallbackFacts {
  readonly stage: FallbackStage;
  /** What the stage tells clients. */
  readonly params: JsonObject;
  readonly language: keyof typeof TEXTS;
  /** Unguessable: only our script runs. */
  readonly nonce: string;
}

/** The headers that go with a page. */
export function fallbackHeaders({ stage, nonce }: FallbackFacts): Readonly<Record<string, string>> {
  const captcha = stage === 'm.login.recaptcha';
  const policy = [
    "default-src 'none'",
    "style-src 'unsafe-inline'",
    "connect-src 'self'",
    `script-src 'nonce-${nonce}'${captcha ? ` ${CAPTCHA_SOURCES}` : ''}`,
    ...(captcha ? [`frame-src ${CAPTCHA_SOURCES}`] : []),
    "form-action 'self'",
    "base-uri 'none'",
  ];
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  };
}

/** The page of a stage. It sends what it asks for to its own address, and then tells the client that it is done. */
export function fallbackPage({ stage, params, language, nonce }: FallbackFacts): string {
  const texts = TEXTS[language];
  const button = `<button>${texts.go}</button>`;
  return `<!doctype html>
<html lang="${language}">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${texts.title}</title>
    <style>
      :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
      body { max-width: 26rem; margin: 3rem auto; padding: 0 1rem }
      label { display: block; margin-bottom: 1rem }
      input { display: block; width: 100%; box-sizing: border-box; font: inherit; padding: 0.5rem }
      button { font: inherit; padding: 0.5rem 1.25rem }
    </style>
    ${stage === 'm.login.recaptcha' ? `<script nonce="${nonce}" src="https://www.recaptcha.net/recaptcha/api.js" async defer></script>` : ''}
  </head>
  <body>
    <main>
      <h1>${texts.title}</h1>
      <form>
        ${fieldsOf(stage, params, texts)}
        ${button}
      </form>
      <p role="status"></p>
    </main>
    <script nonce="${nonce}">${scriptOf(stage, texts)}</script>
  </body>
</html>
`;
}

function fieldsOf(stage: FallbackStage, params: JsonObject, texts: Texts): string {
  switch (stage) {
    case 'm.login.dummy':
      return '';
    case 'm.login.terms':
      return `<p>${texts.agree}</p><ul>${documentsOf(params).join('')}</ul>`;
    case 'm.login.registration_token':
      return `<label>${texts.token}<input name="token" required autocomplete="off" /></label>`;
    case 'm.login.recaptcha':
      return `<div class="g-recaptcha" data-sitekey="${escapeHtml(readString(params, 'public_key') ?? '')}"></div>`;
    case 'm.login.password':
      return (
        `<label>${texts.user}<input name="user" required autocomplete="username" /></label>` +
        `<label>${texts.password}<input name="password" type="password" required autocomplete="current-password" /></label>`
      );
  }
}

/** Links to the terms, in all their languages. */
function documentsOf(params: JsonObject): readonly string[] {
  const links: string[] = [];
  for (const policy of Object.values(readObject(params, 'policies') ?? {})) {
    if (!isJsonObject(policy)) continue;
    for (const key of Object.keys(policy)) {
      const document = readObject(policy, key);
      const url = document && readString(document, 'url');
      if (document === undefined || url === undefined || !/^https?:/.test(url)) continue;
      const name = escapeHtml(readString(document, 'name') ?? url);
      links.push(`<li><a href="${escapeHtml(url)}" target="_blank" rel="noopener noreferrer">${name}</a></li>`);
    }
  }
  return links;
}

/** A dummy stage needs nobody: its page sends itself. */
function scriptOf(stage: FallbackStage, { done, failed }: Texts): string {
  return `
const form = document.querySelector('form');
const status = document.querySelector('[role=status]');
async function send(event) {
  event?.preventDefault();
  const fields = Object.fromEntries(new FormData(form));
  if (fields['g-recaptcha-response']) fields.response = fields['g-recaptcha-response'];
  delete fields['g-recaptcha-response'];
  try {
    const answer = await fetch(location.href, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(fields),
    });
    if (!answer.ok) throw new Error((await answer.json()).error);
  } catch (error) {
    status.textContent = ${JSON.stringify(failed)} + error.message;
    return;
  }
  form.hidden = true;
  status.textContent = ${JSON.stringify(done)};
  if (window.onAuthDone) window.onAuthDone();
  else if (window.opener && window.opener.postMessage) window.opener.postMessage('authDone', '*');
}
form.addEventListener('submit', send);
${stage === 'm.login.dummy' ? 'send();' : ''}
`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
