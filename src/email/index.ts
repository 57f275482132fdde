/** E-mail: sending messages, and what they say. */
export { type Mailer, type Message, makeMailer } from './mailer.ts';
export { confirmPage, type Language, type LinkPurpose, languageOf, linkMessage, outcomePage } from './messages.ts';
