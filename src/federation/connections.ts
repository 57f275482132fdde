/** HTTP connections to other servers: kept alive, with the TLS and the addresses that the target asks for. */

import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { LRUCache } from 'lru-cache';
import type { Dispatcher, Pool } from 'undici';
import { upTo } from '../lru.ts';
import type { Target } from './discovery.ts';
import { ForbiddenAddressError, isPublicAddress, lookupPublic } from './public-addresses.ts';
import type { PlainAnswer } from './well-known.ts';

export interface ConnectionsOptions {
  /** Certificates of further authorities, PEM; beside those that node knows. */
  readonly ca: string | undefined;
  readonly allowPrivateAddresses: boolean;
  readonly userAgent: string;
  /** The address of ours that connections start from; the system chooses where it is left out. */
  readonly sourceAddress?: string | undefined;
}

/** A request to a target. */
export interface OutgoingRequest {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
}

/** An answer, read whole. */
export interface IncomingAnswer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly body: Buffer;
}

/** An answer whose body comes as a stream: the caller reads it to its end, or destroys it. */
export interface StreamedAnswer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData['headers'];
  readonly body: Readable;
}

/** A request whose answer is streamed: `timeoutMs` is for its beginning and for each pause, `signal` for all of it. */
export interface StreamingRequest extends Omit<OutgoingRequest, 'bodyBytesMax'> {
  readonly signal: AbortSignal;
}

const CONNECTIONS_MAX = 8;
const POOLS_MAX = 2_000;
const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 60_000;
const WELL_KNOWN_TIMEOUT_MS = 10_000;
const WELL_KNOWN_BYTES_MAX = 51_200;

/** The pools of connections, by target. Disposing of it closes them. */
export class Connections implements AsyncDisposable {
  readonly #options: ConnectionsOptions;
  readonly #pools = new LRUCache<string, Pool>({
    ...upTo(POOLS_MAX),
    dispose: (pool) => void pool.close().catch(() => undefined),
  });
  #context: Promise<SecureContext> | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Sends a request and reads the answer; rejects where there is none in time, or more of it than allowed. */
  async request(target: Target, request: OutgoingRequest): Promise<IncomingAnswer> {
    const { bodyBytesMax, ...rest } = request;
    const answer = await this.stream(target, { ...rest, signal: AbortSignal.timeout(request.timeoutMs) });
    return { status: answer.status, headers: answer.headers, body: await readLimited(answer.body, bodyBytesMax) };
  }

  /** Sends a request; resolves when the answer begins. */
  async stream(target: Target, request: StreamingRequest): Promise<StreamedAnswer> {
    const pool = await this.#pool(target);
    const { method, path, body, timeoutMs, signal } = request;
    const answer = await pool.request({
      method,
      path,
      headers: { ...request.headers, host: target.host, 'user-agent': this.#options.userAgent },
      ...(body === undefined ? {} : { body }),
      signal,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    // Who destroys it, or has it aborted, needn't listen: undici fails such a body, and nobody would catch that.
    answer.body.on('error', () => undefined);
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  }

  /** A GET of what a server points to: `https` only, and only at public addresses unless private ones are allowed. */
  streamPlain(url: URL, limits: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<StreamedAnswer> {
    return this.stream(targetOf(url), {
      method: 'GET',
      path: url.pathname + url.search,
      headers: { accept: '*/*' },
      body: undefined,
      ...limits,
    });
  }

  /** A GET of a public file, such as `.well-known`. */
  async getPlain(url: URL): Promise<PlainAnswer> {
    const { status, headers, body } = await this.request(targetOf(url), {
      method: 'GET',
      path: url.pathname + url.search,
      headers: { accept: 'application/json' },
      body: undefined,
      timeoutMs: WELL_KNOWN_TIMEOUT_MS,
      bodyBytesMax: WELL_KNOWN_BYTES_MAX,
    });
    const single = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value);
    return {
      status,
      location: single(headers.location),
      cacheControl: single(headers['cache-control']),
      body: body.toString('utf8'),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [...this.#pools.values()];
    await Promise.all(pools.map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  async #pool(target: Target): Promise<Pool> {
    const { hostname, port, certificateName } = target;
    const { allowPrivateAddresses, sourceAddress } = this.#options;
    if (!allowPrivateAddresses && isIP(hostname) !== 0 && !isPublicAddress(hostname)) {
      throw new ForbiddenAddressError(`${hostname} is not a public address`);
    }
    const key = `${hostname}\0${port}\0${certificateName}`;
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    // Loaded here: a server that talks to nobody starts faster without it.
    const { Pool, buildConnector } = await import('undici');
    this.#context ??= secureContext(this.#options.ca);
    const context = await this.#context;
    const connect = buildConnector({
      secureContext: context,
      ...(allowPrivateAddresses ? {} : { lookup: lookupPublic }),
      ...(isIP(certificateName) === 0 ? { servername: certificateName } : {}),
      timeout: CONNECT_TIMEOUT_MS,
      allowH2: false,
    });
    const pool = new Pool(`https://${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`, {
      connections: CONNECTIONS_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // undici takes the local address from here alone.
      connect: ({ servername: _servername, ...options }, callback) =>
        connect(sourceAddress === undefined ? options : { ...options, localAddress: sourceAddress }, callback),
    });
    const made = this.#pools.get(key);
    if (made !== undefined) return made;
    this.#pools.set(key, pool);
    return pool;
  }
}

/** One for all connections: reading the authorities takes milliseconds. */
async function secureContext(ca: string | undefined): Promise<SecureContext> {
  const { createSecureContext, getCACertificates } = await import('node:tls');
  const authorities = ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] };
  return createSecureContext({ ...authorities, minVersion: 'TLSv1.2' });
}

/** Where a plain URL leads. Throws for what isn't `https`. */
function targetOf(url: URL): Target {
  if (url.protocol !== 'https:') throw new ForbiddenAddressError(`${url.protocol} is not https`);
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? 443 : Number(url.port);
  return { hostname, port, host: url.host, certificateName: hostname };
}

/** All of a stream. Rejects, and destroys it, where it has more than `bytesMax`. */
export async function readLimited(body: Readable, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) continue;
    length += chunk.length;
    if (length > bytesMax) {
      body.destroy();
      throw new Error(`the answer has more than ${bytesMax} bytes`);
    }
    chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }
  return Buffer.concat(chunks, length);
}
