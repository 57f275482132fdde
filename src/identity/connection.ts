import { isIP } from 'node:net';
import { Agent, request } from 'undici';
import { isPublicAddress, lookupPublic } from '../federation/index.ts';
import { isJsonObject, type JsonObject, parseJson } from '../protocol/json/index.ts';

/** A request to an identity server. */
export interface IdentityRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly authorization?: string | undefined;
  readonly content?: JsonObject | undefined;
}

/** Its answer, if it is a JSON object at all. */
export interface IdentityAnswer {
  readonly status: number;
  readonly json: JsonObject | undefined;
}

const ANSWER_BYTES_MAX = 64 * 1024;
const CONNECTIONS_PER_SERVER_MAX = 8;

/** HTTP to identity servers. Those that the configuration doesn't name are only reached by https, at public addresses. */
export class IdentityConnection implements AsyncDisposable {
  readonly #trustedOrigins: ReadonlySet<string>;
  readonly #trusted: Agent;
  readonly #others: Agent;
  readonly #timeoutMs: number;

  /** `trusted`: addresses from the configuration. */
  constructor(trusted: readonly URL[], timeoutMs: number) {
    const connect = { timeout: timeoutMs };
    this.#trusted = new Agent({ ...OPTIONS, connect });
    this.#others = new Agent({ ...OPTIONS, connect: { ...connect, lookup: lookupPublic } });
    this.#timeoutMs = timeoutMs;
    this.#trustedOrigins = new Set(trusted.map((url) => url.origin));
  }

  /** Sends a request; redirects are not followed. Rejects where there is no answer, or too much of it. */
  async send({ method, url, authorization, content }: IdentityRequest): Promise<IdentityAnswer> {
    const { statusCode, body } = await request(url, {
      method,
      dispatcher: this.#dispatcherFor(url),
      headers: {
        accept: 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
        ...(content === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(content === undefined ? {} : { body: JSON.stringify(content) }),
      signal: AbortSignal.timeout(this.#timeoutMs),
    });
    return { status: statusCode, json: tryParse(await body.text()) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#trusted.destroy(), this.#others.destroy()]);
  }

  #dispatcherFor(url: URL): Agent {
    if (this.#trustedOrigins.has(url.origin)) return this.#trusted;
    if (url.protocol !== 'https:') throw new Error(`${url.host} is not reached by https`);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !isPublicAddress(host)) throw new Error(`${host} is a private address`);
    return this.#others;
  }
}

const OPTIONS = { connections: CONNECTIONS_PER_SERVER_MAX, maxResponseSize: ANSWER_BYTES_MAX };

function tryParse(text: string): JsonObject | undefined {
  try {
    const value = parseJson(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
