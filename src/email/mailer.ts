import type { Config } from '../config/index.ts';

/** A message to one address. */
export interface Message {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** Further headers, by name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The same for the same message, so that one that is sent twice is known as such. */
  readonly messageId?: string;
}

/** Sends messages. */
export interface Mailer {
  send(message: Message): Promise<void>;
}

const TIMEOUT_MS = 20_000;

/** The mailer of the configuration; undefined where none is set. The library is only loaded with the first message. */
export function makeMailer({ smtp, from }: Config['email']): Mailer | undefined {
  if (smtp === undefined) return undefined;
  const { host, port, tls, user, password } = smtp;
  const options = {
    host,
    port,
    secure: tls === 'tls',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    ...(user === undefined ? {} : { auth: { user, pass: password ?? '' } }),
  };
  return {
    async send(message) {
      const { createTransport } = await import('nodemailer');
      const transport = createTransport(options);
      try {
        const { headers, to, ...rest } = message;
        // As an object, the address is taken as it is, and not read as a list of them.
        await transport.sendMail({
          from,
          to: { name: '', address: to },
          ...rest,
          ...(headers === undefined ? {} : { headers: { ...headers } }),
        });
      } finally {
        transport.close();
      }
    },
  };
}
