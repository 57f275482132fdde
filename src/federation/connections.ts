/** HTTP connections to other servers: kept alive, with the TLS and the addresses that the target asks for. */

import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Dispatcher, Pool } from 'undici';
import { upTo } from '../lru.ts';
import { ForbiddenAddressError, isPublicAddress, lookupPublic } from './address-policy.ts';
import type { Target } from './discovery.ts';
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
  #ca: readonly string[] | undefined;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Sends a request and reads the answer; rejects where there is none in time, or more of it than allowed. */
  async request(target: Target, request: OutgoingRequest): Promise<IncomingAnswer> {
    const pool = await this.#pool(target);
    const { method, path, body, timeoutMs, bodyBytesMax } = request;
    const answer = await pool.request({
      method,
      path,
      headers: { ...request.headers, host: target.host, 'user-agent': this.#options.userAgent },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(timeoutMs),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    return { status: answer.statusCode, headers: answer.headers, body: await readLimited(answer.body, bodyBytesMax) };
  }

  /** A GET of a public file, such as `.well-known`. */
  async getPlain(url: URL): Promise<PlainAnswer> {
    const hostname = url.hostname.replace(/^\[|\]$/g, '');
    const port = url.port === '' ? 443 : Number(url.port);
    const target = { hostname, port, host: url.host, certificateName: hostname };
    const { status, headers, body } = await this.request(target, {
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
    const ca = await this.#authorities();
    const connect = buildConnector({
      ...(ca === undefined ? {} : { ca: [...ca] }),
      ...(allowPrivateAddresses ? {} : { lookup: lookupPublic }),
      ...(isIP(certificateName) === 0 ? { servername: certificateName } : {}),
      ...(sourceAddress === undefined ? {} : { localAddress: sourceAddress }),
      timeout: CONNECT_TIMEOUT_MS,
      allowH2: false,
      minVersion: 'TLSv1.2',
    });
    const pool = new Pool(`https://${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`, {
      connections: CONNECTIONS_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: ({ servername: _servername, ...options }, callback) => connect(options, callback),
    });
    const made = this.#pools.get(key);
    if (made !== undefined) return made;
    this.#pools.set(key, pool);
    return pool;
  }

  async #authorities(): Promise<readonly string[] | undefined> {
    const { ca } = this.#options;
    if (ca === undefined) return undefined;
    if (this.#ca === undefined) {
      const { getCACertificates } = await import('node:tls');
      this.#ca = [...getCACertificates('default'), ca];
    }
    return this.#ca;
  }
}

async function readLimited(body: Dispatcher.ResponseData['body'], bytesMax: number): Promise<Buffer> {
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
