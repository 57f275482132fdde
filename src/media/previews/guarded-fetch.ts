/** Fetches what strangers ask for: only from allowed addresses, with limits on time, size and redirects. */
import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import type { AddressPolicy } from '../../address-policy.ts';

/** Resolves a name to all its addresses. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

export interface GuardedFetchOptions {
  readonly policy: AddressPolicy;
  /** Whether a host may be asked at all, by its name. */
  readonly isHostAllowed?: (host: string) => boolean;
  /** The system's resolver by default. */
  readonly resolve?: Resolve;
  readonly userAgent: string;
}

/** What came. */
export interface Fetched {
  /** After redirects. */
  readonly url: URL;
  readonly contentType: string;
  readonly bytes: Buffer;
  /** There was more than the limit. */
  readonly isCut: boolean;
}

export interface FetchLimits {
  readonly bytesMax: number;
  /** For all of it, redirects included. */
  readonly timeoutMs: number;
  /** Gives what came up to the limit, instead of nothing. */
  readonly mayCut: boolean;
  readonly accept: string;
  readonly signal?: AbortSignal;
}

/** A request that must not be made, by the rules. Its message may be shown. */
export class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError';
}

const REDIRECTS_MAX = 5;
const CONNECT_TIMEOUT_MS = 5_000;
const URL_CHARACTERS_MAX = 4_096;

/** One agent, whose every connection is checked when it is made: a name may mean another address by then. */
export class GuardedFetch implements AsyncDisposable {
  readonly #options: GuardedFetchOptions;
  readonly #agent: Agent;

  constructor(options: GuardedFetchOptions) {
    this.#options = options;
    const connect = buildConnector({
      timeout: CONNECT_TIMEOUT_MS,
      lookup: guardedLookup(options.policy, options.resolve ?? resolveBySystem),
    });
    this.#agent = new Agent({
      connect: (target, done) => {
        // Names that are addresses are connected to without being looked up.
        const literal = target.hostname.replace(/^\[(.*)\]$/, '$1');
        if (isIP(literal) !== 0 && !options.policy.isAllowed(literal)) {
          done(new RefusedAddressError(`${literal} may not be asked`), null);
          return;
        }
        connect(target, done);
      },
      connections: 4,
      pipelining: 1,
      maxResponseSize: -1,
    });
  }

  /**
   * GETs a URL, following redirects, each of which is checked as the first. Throws `RefusedAddressError` where it leads to where
   * it may not, any other error where it fails. Undefined for answers that aren't 2xx.
   */
  async get(start: URL, limits: FetchLimits): Promise<Fetched | undefined> {
    const timeout = AbortSignal.timeout(limits.timeoutMs);
    const signal = limits.signal === undefined ? timeout : AbortSignal.any([timeout, limits.signal]);
    let url = start;
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects++) {
      this.#assertAllowed(url);
      const response = await request(url, {
        dispatcher: this.#agent,
        method: 'GET',
        signal,
        headers: {
          'user-agent': this.#options.userAgent,
          accept: limits.accept,
          'accept-language': 'en, *;q=0.5',
          'accept-encoding': 'identity',
        },
      });
      const location = firstOf(response.headers.location);
      if (response.statusCode >= 300 && response.statusCode < 400 && location !== undefined) {
        discard(response.body);
        const next = URL.parse(location, url);
        if (next === null) throw new RefusedAddressError('A redirect leads nowhere');
        url = next;
      } else if (response.statusCode < 200 || response.statusCode > 299) {
        discard(response.body);
        return undefined;
      } else {
        return { url, contentType: firstOf(response.headers['content-type']) ?? '', ...(await read(response, limits)) };
      }
    }
    throw new RefusedAddressError('Too many redirects');
  }

  #assertAllowed(url: URL): void {
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new RefusedAddressError('Only http and https');
    if (url.username !== '' || url.password !== '') throw new RefusedAddressError('No passwords in addresses');
    if (url.href.length > URL_CHARACTERS_MAX) throw new RefusedAddressError('The address is too long');
    const host = url.hostname.toLowerCase().replace(/\.$/, '');
    if (this.#options.isHostAllowed?.(host) === false) throw new RefusedAddressError(`${host} may not be asked`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

/** A lookup that fails where any address of the name is not allowed: a name with a good and a bad one is up to something. */
function guardedLookup(policy: AddressPolicy, resolve: Resolve): LookupFunction {
  return (host, options, callback) => {
    resolve(host).then(
      (addresses) => {
        const bad = addresses.find(({ address }) => !policy.isAllowed(address));
        const [first] = addresses;
        if (bad !== undefined) callback(new RefusedAddressError(`${host} may not be asked`), '');
        else if (first === undefined) callback(new Error(`${host} has no address`), '');
        else if (options.all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: Error) => callback(error, ''),
    );
  };
}

function resolveBySystem(host: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(host, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error)));
  });
}

async function read(
  { body }: Dispatcher.ResponseData,
  limits: FetchLimits,
): Promise<{ bytes: Buffer; isCut: boolean }> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length <= limits.bytesMax) continue;
    if (!limits.mayCut) throw new Error('the answer is too long');
    return { bytes: Buffer.concat(chunks, length).subarray(0, limits.bytesMax), isCut: true };
  }
  return { bytes: Buffer.concat(chunks, length), isCut: false };
}

function discard(body: Dispatcher.ResponseData['body']): void {
  body.on('error', () => undefined).destroy();
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}
