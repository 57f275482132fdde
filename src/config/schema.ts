/** The whole configuration: one section a file. Keys are the same in YAML and in code. */
import { z } from 'zod';
import { callsSection } from './calls.ts';
import { databaseSection } from './database.ts';
import { delayedEventsSection } from './delayed-events.ts';
import { emailSection } from './email.ts';
import { encryptionSection } from './encryption.ts';
import { federationSection } from './federation.ts';
import { httpSection } from './http.ts';
import { identitySection } from './identity.ts';
import { listenersSection } from './listeners.ts';
import { loggingSection } from './logging.ts';
import { loginSection } from './login.ts';
import { mediaSection } from './media.ts';
import { presenceSection } from './presence.ts';
import { pushSection } from './push.ts';
import { rateLimitsSection } from './rate-limits.ts';
import { registrationSection } from './registration.ts';
import { roomsSection } from './rooms.ts';
import { serverSection } from './server.ts';
import { serverNoticesSection } from './server-notices.ts';
import { ssoSection } from './sso.ts';
import { termsSection } from './terms.ts';
import { userDirectorySection } from './user-directory.ts';
import { webSection } from './web.ts';
import { wellKnownSection } from './well-known.ts';

/** The sections in the order in which the sample and the docs show them. */
const sections = z.strictObject({
  server: serverSection,
  listeners: listenersSection,
  http: httpSection,
  database: databaseSection,
  registration: registrationSection,
  terms: termsSection,
  login: loginSection,
  sso: ssoSection,
  rooms: roomsSection,
  media: mediaSection,
  server_notices: serverNoticesSection,
  user_directory: userDirectorySection,
  encryption: encryptionSection,
  presence: presenceSection,
  push: pushSection,
  calls: callsSection,
  delayed_events: delayedEventsSection,
  email: emailSection,
  identity: identitySection,
  federation: federationSection,
  rate_limits: rateLimitsSection,
  well_known: wellKnownSection,
  web: webSection,
  logging: loggingSection,
});

/** The whole of it, with what concerns several sections. */
export const configSchema = sections.superRefine(({ sso, server }, context) => {
  if (sso.providers.length === 0 || server.public_url !== undefined) return;
  const message = 'single sign-on needs server.public_url: providers send browsers back there';
  context.addIssue({ code: 'custom', path: ['sso', 'providers'], message });
});

type Parsed = z.output<typeof configSchema>;

/** A valid configuration with every default filled in. Durations are milliseconds, sizes bytes, paths absolute. */
export type Config = Parsed & {
  readonly server: { readonly signing_key_file: string };
  readonly database: { readonly sqlite: { readonly file: string } };
  readonly media: { readonly folder: string };
};

/** A configuration as it is written: everything may be left out. */
export type ConfigInput = z.input<typeof configSchema>;
