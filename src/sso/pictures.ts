/** The picture that a provider has of a user becomes the avatar. */
import { Readable } from 'node:stream';
import type { Accounts } from '../accounts/index.ts';
import { AddressPolicy } from '../address-policy.ts';
import { type Fetched, GuardedFetch, type Media } from '../media/index.ts';
import type { UserId } from '../protocol/ids/index.ts';

export interface PicturesDeps {
  readonly accounts: Accounts;
  readonly media: Media;
  /** Private addresses that may be asked all the same. */
  readonly allowedAddresses: readonly string[];
}

const PICTURE_BYTES_MAX = 5 * 1024 * 1024;
const TIMEOUT_MS = 15_000;
const USER_AGENT = 'Inglenook (pictures of accounts)';
const TYPES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif']);

/**
 * Gives a user the picture at an address, unless they have one. The address may have been chosen by the user, so it leads to
 * public addresses only, or to the provider's own host. Throws where it can't be fetched now.
 */
export async function givePicture(deps: PicturesDeps, userId: UserId, address: string, issuer: string): Promise<void> {
  const { accounts, media } = deps;
  const profile = await accounts.getProfile(userId);
  const url = URL.parse(address);
  if (profile === undefined || profile.avatarUrl !== undefined || url === null) return;
  const picture = await fetchPicture(url, new URL(issuer).hostname, deps.allowedAddresses);
  const contentType = picture?.contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (picture === undefined || !TYPES.has(contentType)) return;
  const { bytes } = picture;
  const mediaId = await media.uploads.upload(userId, {
    contentType,
    fileName: undefined,
    contentLength: bytes.length,
    stream: () => Readable.from([bytes]),
  });
  await accounts.profiles.set(userId, 'avatar_url', `mxc://${media.serverName}/${mediaId}`);
}

async function fetchPicture(
  url: URL,
  providerHost: string,
  allowedAddresses: readonly string[],
): Promise<Fetched | undefined> {
  const isProviders = url.hostname === providerHost;
  await using fetching = new GuardedFetch({
    policy: new AddressPolicy({ allowed: isProviders ? ['0.0.0.0/0', '::/0'] : allowedAddresses }),
    userAgent: USER_AGENT,
    ...(isProviders && { isHostAllowed: (host: string) => host === providerHost }),
  });
  const limits = { bytesMax: PICTURE_BYTES_MAX, timeoutMs: TIMEOUT_MS, mayCut: false, accept: 'image/*' };
  // Awaited here, since the connections are closed at the end of this block.
  return await fetching.get(url, limits);
}
