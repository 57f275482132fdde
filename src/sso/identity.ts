/** From what a provider says of a user to what we make of it. Pure. */
import { z } from 'zod';
import { claimAt, parseClaimTemplate } from '../config/claim-template.ts';
import type { SsoProviderConfig } from '../config/index.ts';
import type { JsonObject, JsonValue } from '../protocol/json/index.ts';

export const identitySchema = z.object({
  provider: z.string(),
  subject: z.string(),
  /** The session at the provider, for its end. */
  upstreamSid: z.string().optional(),
  /** When the provider vouched for it, by our clock. */
  authTs: z.int(),
  /** As mapped: it may be no valid user name, or empty. */
  localpart: z.string(),
  displayName: z.string().optional(),
  /** Only where the provider says that it is verified. */
  verifiedEmail: z.string().optional(),
  picture: z.string().optional(),
});

/** What is kept of a log-in while the user is asked something. */
export const arrivalSchema = identitySchema.extend({
  /** Why the name that the provider gave can't be had. */
  problem: z.enum(['taken', 'invalid']).optional(),
});

/** Who somebody is at a provider. */
export type Identity = z.output<typeof identitySchema>;

const SUBJECT_CHARS_MAX = 255;
const TEXT_CHARS_MAX = 255;
const PICTURE_CHARS_MAX = 2000;

/** What becomes of a user's claims; undefined where the provider names nobody whom we could keep. */
export function identityOf(config: SsoProviderConfig, claims: JsonObject, now: number): Identity | undefined {
  const { sub, sid } = claims;
  if (typeof sub !== 'string' || sub === '' || sub.length > SUBJECT_CHARS_MAX) return undefined;
  const { mapping } = config;
  const filled = (template: string, charsMax = TEXT_CHARS_MAX) =>
    (parseClaimTemplate(template)?.(claims) ?? '').slice(0, charsMax);
  const email = filled(mapping.email).toLowerCase();
  const picture = filled(mapping.picture, PICTURE_CHARS_MAX);
  const displayName = filled(mapping.display_name);
  return {
    provider: config.id,
    subject: sub,
    authTs: now,
    localpart: filled(mapping.localpart).toLowerCase(),
    ...(typeof sid === 'string' && sid !== '' && sid.length <= SUBJECT_CHARS_MAX && { upstreamSid: sid }),
    ...(displayName !== '' && { displayName }),
    ...(/^[^\s@<>,;"]+@[^\s@<>,;"]+$/.test(email) && isVerified(claims) && { verifiedEmail: email }),
    ...(/^https?:\/\//.test(picture) && { picture }),
  };
}

/** Whether the user is let in: in each of the claims that are asked for is one of the values. */
export function isAllowed({ allow }: Pick<SsoProviderConfig, 'allow'>, claims: JsonObject): boolean {
  return allow.every(({ claim, values }) => {
    const found = claimAt(claims, claim);
    const list: readonly (JsonValue | undefined)[] = Array.isArray(found) ? found : [found];
    return list.some((one) => isScalar(one) && values.includes(String(one)));
  });
}

/** What a user name could be made of: the text without what can't be in one. */
export function suggestedName(localpart: string): string {
  const plain = localpart.normalize('NFKD').replace(/[^a-z0-9._=/+-]/g, '');
  return plain.replace(/^[^a-z0-9]+/, '').slice(0, 100);
}

function isScalar(value: JsonValue | undefined): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** Some providers send the text `true`. */
function isVerified({ email_verified: verified }: JsonObject): boolean {
  return verified === true || verified === 'true';
}
