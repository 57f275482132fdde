import { z } from 'zod';
import { parseClaimTemplate } from './claim-template.ts';
import { durationMs } from './units.ts';

const httpUrl = () => z.url({ protocol: /^https?$/, error: 'expected an address that begins with https://' });

const endpoints = z
  .strictObject({
    authorization: httpUrl(),
    token: httpUrl(),
    keys: httpUrl().meta({ description: 'The JSON Web Key Set (jwks_uri).' }),
    userinfo: httpUrl().optional(),
    end_session: httpUrl().optional(),
  })
  .optional()
  .meta({ description: 'The addresses of a provider that has no discovery document.' });

const template = (standard: string) =>
  z
    .string()
    .max(500)
    .refine(
      (text) => parseClaimTemplate(text) !== undefined,
      'expected a text with places such as {claim} or {email|before_at}; the filters are before_at, after_at and lower',
    )
    .prefault(standard);

const mapping = z
  .strictObject({
    localpart: template('{preferred_username}').meta({
      description:
        'The user name of a new account. Where it comes out empty, invalid or taken, the user is asked. {claim} stands for a claim, {a.b} for one within another; {email|before_at} takes what is before the @, {name|lower} makes it lower case.',
    }),
    display_name: template('{name}'),
    email: template('{email}'),
    picture: template('{picture}').meta({ description: 'The address of a picture.' }),
  })
  .prefault({})
  .meta({ description: 'What becomes of the claims of the provider.' });

const linking = z
  .strictObject({
    localpart: z.boolean().prefault(false).meta({
      description:
        'To the account with the mapped user name. Only for providers in which nobody can choose the name of somebody else.',
    }),
    verified_email: z.boolean().prefault(false).meta({
      description: 'To the account with the same e-mail address, if the provider says that it is verified.',
    }),
  })
  .prefault({})
  .meta({ description: 'Whether those who come for the first time get to an account that exists already.' });

const provider = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'expected a-z, 0-9 and . _ -')
      .meta({ description: 'Accounts are tied to it: do not change it later.', examples: ['company'] }),
    name: z
      .string()
      .min(1)
      .max(100)
      .meta({ examples: ['Company account'] }),
    brand: z
      .string()
      .regex(/^[a-z][a-z0-9._-]{0,254}$/, 'expected a-z, 0-9 and . _ -')
      .optional()
      .meta({ description: 'What clients draw: apple, github, gitlab, google, twitter, facebook.' }),
    icon: z
      .string()
      .regex(/^mxc:\/\/[^/]+\/[^/]+$/, 'expected mxc://SERVER/ID')
      .optional(),
    issuer: httpUrl().meta({ examples: ['https://sso.example.org/realms/company'] }),
    endpoints,
    client_id: z.string().min(1),
    client_secret: z.string().min(1).optional(),
    client_auth: z
      .enum(['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'])
      .prefault('client_secret_basic')
      .meta({ description: 'How this server shows the provider who it is.' }),
    private_key_file: z.string().min(1).optional().meta({ description: 'The key (PKCS #8, PEM) of private_key_jwt.' }),
    private_key_id: z.string().min(1).optional(),
    scopes: z.array(z.string().min(1)).prefault(['openid', 'profile', 'email']),
    userinfo: z.boolean().prefault(true).meta({
      description: "Whether the provider's userinfo endpoint is asked too, where it has one.",
    }),
    mapping,
    allow: z
      .array(z.strictObject({ claim: z.string().min(1), values: z.array(z.string().min(1)).min(1) }))
      .prefault([])
      .meta({ description: 'Who may come: in each of these claims one of the values must be. Empty: everybody.' }),
    registration: z.boolean().prefault(true).meta({ description: 'Whether new users get an account.' }),
    confirm_name: z.boolean().prefault(false).meta({ description: 'Whether new users may always choose their name.' }),
    link_existing: linking,
    reauthenticate: z.boolean().prefault(false).meta({
      description:
        'Whether the provider is asked to have the password typed once more before something delicate happens to an account (prompt=login). Not every provider knows that.',
    }),
    backchannel_logout: z.boolean().prefault(true).meta({
      description: 'Whether the provider can end sessions (OpenID Connect Back-Channel Logout).',
    }),
    rp_logout: z.boolean().prefault(false).meta({
      description: 'Whether there is an address that logs a browser out at the provider (RP-Initiated Logout).',
    }),
  })
  .superRefine((value, context) => {
    const issue = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    if (value.client_auth.startsWith('client_secret') && value.client_secret === undefined) {
      issue('client_auth', `${value.client_auth} needs client_secret`);
    }
    if (value.client_auth === 'private_key_jwt' && value.private_key_file === undefined) {
      issue('client_auth', 'private_key_jwt needs private_key_file');
    }
    if (!value.scopes.includes('openid')) issue('scopes', 'openid must be among them');
  });

/** `sso`: logging in at OpenID Connect providers. */
export const ssoSection = z
  .strictObject({
    providers: z
      .array(provider)
      .prefault([])
      .meta({ description: 'OpenID Connect providers, in the order in which clients show them. See docs/sso.md.' }),
    trusted_clients: z
      .array(httpUrl())
      .prefault([])
      .meta({
        description:
          'Web clients that users need not confirm: addresses that the redirect address must begin with. Everybody else sees a page that says which client gets access.',
        examples: [['https://app.example.org/']],
      }),
    preferred: z.boolean().prefault(false).meta({
      description: 'Whether clients that know OAuth 2.0 are told to offer nothing but single sign-on.',
    }),
    login_timeout: durationMs({ minMs: 10_000, maxMs: 3_600_000 }).prefault('15m').meta({
      description: 'How long a log-in may take in the browser.',
    }),
  })
  .superRefine(({ providers }, context) => {
    providers.forEach(({ id }, index) => {
      if (providers.findIndex((other) => other.id === id) === index) return;
      const path = ['providers', index, 'id'];
      context.addIssue({ code: 'custom', path, message: `there is another provider with the id ${id}` });
    });
  })
  .prefault({})
  .meta({ description: 'Single sign-on: logging in with accounts of an organisation or of another service.' });

export type SsoConfig = z.output<typeof ssoSection>;
export type SsoProviderConfig = SsoConfig['providers'][number];
