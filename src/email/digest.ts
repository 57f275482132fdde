/** What a mail about missed messages says. */
import type { Language } from './messages.ts';

/** One line of a room: who said what; without `text`, something that can't be shown. */
export interface DigestLine {
  readonly sender: string;
  readonly kind: 'text' | 'encrypted' | 'other';
  readonly text: string;
}

/** A room with what was missed there. */
export interface DigestRoom {
  readonly name: string;
  /** The latest ones, oldest first. */
  readonly lines: readonly DigestLine[];
  /** All of them. */
  readonly count: number;
  /** Who invites the user to it, where it is an invite. */
  readonly inviter: string | undefined;
}

export interface Digest {
  readonly appName: string;
  readonly rooms: readonly DigestRoom[];
  /** Whether names and messages may be shown. */
  readonly showsContent: boolean;
  readonly homeUrl: string;
  readonly unsubscribeUrl: string;
}

interface Texts {
  readonly messages: (count: number) => string;
  readonly invites: (count: number) => string;
  readonly inRoom: (what: string, room: string) => string;
  readonly inRooms: (what: string, rooms: number) => string;
  readonly and: string;
  readonly intro: string;
  readonly invitedBy: (inviter: string) => string;
  readonly more: (count: number) => string;
  readonly encrypted: string;
  readonly other: string;
  readonly open: string;
  readonly unsubscribe: string;
}

const TEXTS: Readonly<Record<Language, Texts>> = {
  en: {
    messages: (count) => (count === 1 ? '1 new message' : `${count} new messages`),
    invites: (count) => (count === 1 ? '1 invitation' : `${count} invitations`),
    inRoom: (what, room) => `${what} in ${room}`,
    inRooms: (what, rooms) => `${what} in ${rooms} rooms`,
    and: ' and ',
    intro: 'You have missed something at APP:',
    invitedBy: (inviter) => `${inviter} invites you to this room.`,
    more: (count) => `(and ${count} more)`,
    encrypted: '[encrypted message]',
    other: '[not a text]',
    open: 'Read it at',
    unsubscribe: 'To get no more of these mails, open',
  },
  zh: {
    messages: (count) => `${count} 条新消息`,
    invites: (count) => `${count} 个邀请`,
    inRoom: (what, room) => `${room}：${what}`,
    inRooms: (what, rooms) => `${rooms} 个聊天室中有 ${what}`,
    and: '和 ',
    intro: '您在 APP 错过了以下内容：',
    invitedBy: (inviter) => `${inviter} 邀请您加入此聊天室。`,
    more: (count) => `（还有 ${count} 条）`,
    encrypted: '[加密消息]',
    other: '[非文本消息]',
    open: '前往阅读：',
    unsubscribe: '如不想再收到此类邮件，请打开：',
  },
};

const NAME_CHARS_MAX = 80;
const TEXT_CHARS_MAX = 300;

/** The mail. Names and messages come from strangers: each becomes one short line without control characters. */
export function digestMessage(language: Language, digest: Digest): { readonly subject: string; readonly text: string } {
  const texts = TEXTS[language];
  const { appName, rooms, showsContent, homeUrl, unsubscribeUrl } = digest;
  const summary = summaryOf(texts, rooms, showsContent);
  const body = showsContent ? rooms.map((room) => roomText(texts, room)).join('\n') : `${summary}\n`;
  return {
    subject: `[${oneLine(appName, NAME_CHARS_MAX)}] ${summary}`,
    text:
      `${texts.intro.replaceAll('APP', () => oneLine(appName, NAME_CHARS_MAX))}\n\n${body}\n` +
      `${texts.open} ${homeUrl}\n\n-- \n${texts.unsubscribe} ${unsubscribeUrl}\n`,
  };
}

function summaryOf(texts: Texts, rooms: readonly DigestRoom[], showsContent: boolean): string {
  const invites = rooms.filter(({ inviter }) => inviter !== undefined).length;
  const count = rooms.reduce((sum, room) => sum + (room.inviter === undefined ? room.count : 0), 0);
  const withMessages = rooms.length - invites;
  const [only] = rooms;
  if (rooms.length === 1 && only !== undefined && showsContent) {
    const what = invites === 1 ? texts.invites(1) : texts.messages(count);
    return texts.inRoom(what, oneLine(only.name, NAME_CHARS_MAX));
  }
  const messages = withMessages > 1 ? texts.inRooms(texts.messages(count), withMessages) : texts.messages(count);
  const parts = [...(withMessages > 0 ? [messages] : []), ...(invites > 0 ? [texts.invites(invites)] : [])];
  return parts.join(texts.and);
}

function roomText(texts: Texts, { name, lines, count, inviter }: DigestRoom): string {
  const title = `== ${oneLine(name, NAME_CHARS_MAX)} ==\n`;
  if (inviter !== undefined) return `${title}${texts.invitedBy(oneLine(inviter, NAME_CHARS_MAX))}\n`;
  const shown = lines.map(({ sender, kind, text }) => {
    const said = kind === 'text' ? oneLine(text, TEXT_CHARS_MAX) : texts[kind];
    return `${oneLine(sender, NAME_CHARS_MAX)}: ${said}\n`;
  });
  const more = count > lines.length ? `${texts.more(count - lines.length)}\n` : '';
  return title + more + shown.join('');
}

/** Without line breaks, control characters, and those that turn the direction of what follows. */
function oneLine(text: string, charsMax: number): string {
  const plain = text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
    .trim();
  const chars = [...plain];
  return chars.length <= charsMax ? plain : `${chars.slice(0, charsMax).join('')}…`;
}
