/** E-mail: sending messages, and what they say. */
export { type Digest, type DigestLine, type DigestRoom, digestMessage } from './digest.ts';
export { type Mailer, type Message, makeMailer } from './mailer.ts';
export {
  confirmPage,
  type Language,
  type LinkPurpose,
  languageOf,
  linkMessage,
  outcomePage,
  unsubscribePage,
} from './messages.ts';
