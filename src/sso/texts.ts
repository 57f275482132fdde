/** What the pages of single sign-on say. */
import type { Language } from '../email/index.ts';

export type SsoLanguage = Language;

/** Why a log-in ends before its end. */
export type RefusalReason =
  | 'unknown_provider'
  | 'bad_redirect'
  | 'expired'
  | 'unreachable'
  | 'denied'
  | 'not_allowed'
  | 'no_account'
  | 'not_linked'
  | 'deactivated'
  | 'locked'
  | 'logged_out';

interface Texts {
  readonly title: string;
  readonly failed: string;
  readonly choose: string;
  readonly chooseName: string;
  readonly userName: string;
  readonly nameTaken: string;
  readonly nameInvalid: string;
  readonly access: string;
  readonly accessWarning: string;
  readonly signedInAs: string;
  readonly proof: string;
  readonly proofWarning: string;
  readonly go: string;
  readonly again: string;
  readonly done: string;
  readonly loggedOut: string;
  readonly refusals: Readonly<Record<RefusalReason, string>>;
}

export const SSO_TEXTS: Readonly<Record<SsoLanguage, Texts>> = {
  en: {
    title: 'Sign in',
    failed: 'That did not work',
    choose: 'How do you want to sign in?',
    chooseName: 'Choose your user name. It can not be changed later.',
    userName: 'User name',
    nameTaken: 'This name is taken.',
    nameInvalid: 'A user name consists of a-z, 0-9 and . _ = - / +, and some names are reserved.',
    access: 'This app or site gets access to your account:',
    accessWarning: 'If you did not start this yourself, close this page.',
    signedInAs: 'You sign in as',
    proof: 'An app wants to change something important in your account, such as removing a device or a key.',
    proofWarning: 'If you did not start this yourself, somebody else may be using your account: close this page.',
    go: 'Continue',
    again: 'Try again',
    done: 'Done. You can close this page and go back to your app.',
    loggedOut: 'You are signed out.',
    refusals: {
      unknown_provider: 'This server knows no such way to sign in.',
      bad_redirect: 'The app that sent you here gave no address to which you could be sent back.',
      expired: 'This sign-in is unknown, was completed already, or took too long. Go back to your app and start again.',
      unreachable: 'The service where you sign in can not be reached. Try again in a while.',
      denied: 'The service where you sign in did not confirm who you are.',
      not_allowed: 'Your account there may not be used here.',
      no_account: 'You have no account here, and none is made.',
      not_linked: 'No account here belongs to your account there.',
      deactivated: 'Your account here has been deactivated.',
      locked: 'Your account here has been locked.',
      logged_out: 'You have been signed out meanwhile. Start again.',
    },
  },
  zh: {
    title: '登录',
    failed: '未能成功',
    choose: '您想如何登录？',
    chooseName: '请选择用户名。以后不能更改。',
    userName: '用户名',
    nameTaken: '此用户名已被使用。',
    nameInvalid: '用户名只能包含 a-z、0-9 和 . _ = - / +，且部分名称被保留。',
    access: '以下应用或网站将获得您帐号的访问权限：',
    accessWarning: '如果这不是您本人发起的，请关闭此页面。',
    signedInAs: '您将登录为',
    proof: '某个应用想要更改您帐号中的重要内容，例如移除设备或密钥。',
    proofWarning: '如果这不是您本人发起的，可能有人正在使用您的帐号：请关闭此页面。',
    go: '继续',
    again: '重试',
    done: '完成。您可以关闭此页面，返回应用。',
    loggedOut: '您已退出登录。',
    refusals: {
      unknown_provider: '此服务器没有这种登录方式。',
      bad_redirect: '将您带到此处的应用没有提供可返回的地址。',
      expired: '此次登录无效、已经完成或已超时。请返回应用重新开始。',
      unreachable: '无法连接登录服务。请稍后再试。',
      denied: '登录服务未能确认您的身份。',
      not_allowed: '您在该服务的帐号不能在此使用。',
      no_account: '您在此没有帐号，也不会创建新帐号。',
      not_linked: '您在该服务的帐号未关联此处的任何帐号。',
      deactivated: '您在此的帐号已停用。',
      locked: '您在此的帐号已被锁定。',
      logged_out: '您已退出登录。请重新开始。',
    },
  },
};
