import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, request } from 'undici';
import { isJsonObject, type JsonObject, readStrings } from '../protocol/json/index.ts';

const TIMEOUT_MS = 15_000;
const ANSWER_BYTES_MAX = 64 * 1024;
const CONNECTIONS_PER_GATEWAY_MAX = 16;
const PATH = '/_matrix/push/v1/notify';

/** Sends notifications to push gateways, whose addresses come from users and are therefore not trusted. */
export class GatewayClient implements AsyncDisposable {
  readonly #allowsPrivate: boolean;
  readonly #agent: Agent;

  /** `allowsPrivate`: gateways may be on private addresses and without TLS. */
  constructor({ allowsPrivate }: { readonly allowsPrivate: boolean }) {
    this.#allowsPrivate = allowsPrivate;
    this.#agent = new Agent({
      connections: CONNECTIONS_PER_GATEWAY_MAX,
      connect: { timeout: TIMEOUT_MS, ...(allowsPrivate ? {} : { lookup: publicOnly }) },
      maxResponseSize: ANSWER_BYTES_MAX,
    });
  }

  /** What is wrong with a gateway's address; undefined where it may be used. */
  problemOf(address: string): string | undefined {
    if (!URL.canParse(address)) return 'data.url is not an address';
    const url = new URL(address);
    if (url.pathname !== PATH) return `data.url must end in ${PATH}`;
    if (url.username !== '' || url.password !== '') return 'data.url must not hold a password';
    if (this.#allowsPrivate) return /^https?:$/.test(url.protocol) ? undefined : 'data.url must be https';
    if (url.protocol !== 'https:') return 'data.url must be https';
    const host = url.hostname.replace(/^\[|\]$/g, '');
    return isIP(host) !== 0 && !isPublic(host) ? 'data.url is a private address' : undefined;
  }

  /**
   * Sends a notification and returns the pushkeys that the gateway no longer wants. Rejects where it can't be reached or
   * answers anything but 200. Spec: push-gateway-api/#post_matrixpushv1notify
   */
  async notify(address: string, notification: JsonObject, signal: AbortSignal): Promise<readonly string[]> {
    const problem = this.problemOf(address);
    if (problem !== undefined) throw new Error(problem);
    const { statusCode, body } = await request(address, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ notification }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`the push gateway answered ${statusCode}`);
    const answer: unknown = text === '' ? {} : JSON.parse(text);
    return isJsonObject(answer) ? (readStrings(answer, 'rejected') ?? []) : [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

/** Resolves names to public addresses only, at the moment of connecting, so that no second answer can differ. */
const publicOnly: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, [], 4);
      return;
    }
    const usable = addresses.filter(({ address }) => isPublic(address));
    const [first] = usable;
    if (first === undefined) callback(new Error(`${hostname} has no public address`), [], 4);
    else if (options.all === true) callback(null, usable, first.family);
    else callback(null, first.address, first.family);
  });
};

function isPublic(address: string): boolean {
  return ipaddr.process(address).range() === 'unicast';
}
