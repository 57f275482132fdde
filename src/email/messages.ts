/** What messages and pages say, in the languages that we have. */

export type Language = 'en' | 'zh';

/** What a link in a message is for. */
export type LinkPurpose = 'add' | 'register' | 'reset';

interface Texts {
  readonly subject: Readonly<Record<LinkPurpose, string>>;
  readonly body: Readonly<Record<LinkPurpose, string>>;
  readonly notYou: string;
  readonly confirm: string;
  readonly done: string;
  readonly failed: string;
  readonly stop: string;
  readonly stopped: string;
}

const TEXTS: Readonly<Record<Language, Texts>> = {
  en: {
    subject: {
      add: 'Confirm your e-mail address for APP',
      register: 'Finish your registration at APP',
      reset: 'Reset your password at APP',
    },
    body: {
      add: 'Somebody wants to add this e-mail address to an account at APP. To confirm it, open this link:',
      register: 'Somebody is making an account at APP with this e-mail address. To go on, open this link:',
      reset: 'Somebody wants to set a new password for your account at APP. If it is you, open this link:',
    },
    notYou: 'If this was not you, there is nothing to do: without the link nothing happens.',
    confirm: 'Confirm',
    done: 'Your e-mail address is confirmed. You can go back to where you came from.',
    failed: 'This link is not valid, or no longer.',
    stop: 'Send me no more of these mails',
    stopped: 'You get no more mails about missed messages at this address.',
  },
  zh: {
    subject: {
      add: '确认您在 APP 的电子邮件地址',
      register: '完成您在 APP 的注册',
      reset: '重置您在 APP 的密码',
    },
    body: {
      add: '有人希望将此电子邮件地址添加到 APP 的一个帐号。如要确认，请打开以下链接：',
      register: '有人正在使用此电子邮件地址在 APP 注册帐号。如要继续，请打开以下链接：',
      reset: '有人希望为您在 APP 的帐号设置新密码。如果是您本人，请打开以下链接：',
    },
    notYou: '如果不是您本人操作，请忽略此邮件：不打开链接就不会有任何变化。',
    confirm: '确认',
    done: '您的电子邮件地址已确认。现在可以返回原来的页面。',
    failed: '此链接无效或已过期。',
    stop: '不再向我发送此类邮件',
    stopped: '您将不再在此地址收到关于错过消息的邮件。',
  },
};

/** The language that a client prefers, of those that we have. */
export function languageOf(acceptLanguage: string | undefined): Language {
  return /^\s*zh\b/i.test(acceptLanguage ?? '') ? 'zh' : 'en';
}

/** The message with a link. */
export function linkMessage(
  purpose: LinkPurpose,
  language: Language,
  { appName, link }: { readonly appName: string; readonly link: string },
): { readonly subject: string; readonly text: string } {
  const { subject, body, notYou } = TEXTS[language];
  const named = (text: string) => text.replaceAll('APP', () => appName);
  return { subject: named(subject[purpose]), text: `${named(body[purpose])}\n\n${link}\n\n${notYou}\n` };
}

/** The page behind the link; with a button, since programs that look at messages open every link in them. */
export function confirmPage(language: Language, appName: string): string {
  return page(language, appName, `<form method="post"><button>${TEXTS[language].confirm}</button></form>`);
}

/** The page behind the link that ends mails about missed messages. */
export function unsubscribePage(language: Language, appName: string): string {
  const { stop } = TEXTS[language];
  return page(language, appName, `<form method="post"><button>${stop}</button></form>`);
}

/** The page that says how it went. */
export function outcomePage(language: Language, appName: string, outcome: 'done' | 'failed' | 'stopped'): string {
  return page(language, appName, `<p>${TEXTS[language][outcome]}</p>`);
}

function page(language: Language, appName: string, content: string): string {
  const title = appName.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return (
    `<!doctype html><html lang="${language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<meta name="robots" content="noindex"><meta name="referrer" content="no-referrer"><title>${title}</title>` +
    `<style>body{font:1.1rem system-ui;max-width:30rem;margin:15vh auto;padding:0 1rem;text-align:center}` +
    `button{font:inherit;padding:.6rem 2rem}</style><h1>${title}</h1>${content}</html>`
  );
}
