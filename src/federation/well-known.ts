/**
 * Delegation by `/.well-known/matrix/server`.
 * Spec: server-server-api/#getwell-knownmatrixserver, and the caching rules in server-server-api/#resolving-server-names
 */
import type { Clock } from '../clock.ts';
import { parseServerName, type ServerName } from '../protocol/ids/index.ts';
import { isJsonObject, parseJson, readString } from '../protocol/json/index.ts';

/** What the file says, and how long that is to be believed. */
export interface Delegation {
  /** Undefined where the server doesn't delegate. */
  readonly server: ServerName | undefined;
  /** Milliseconds since the epoch. */
  readonly untilTs: number;
}

/** The answer to a GET without redirects. */
export interface PlainAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly cacheControl: string | undefined;
  readonly body: string;
}

/** Fetches an https address with few bytes and little patience; rejects where nobody answers. */
export type PlainGet = (url: URL) => Promise<PlainAnswer>;

const REDIRECTS_MAX = 5;
const KEPT_MS_DEFAULT = 24 * 3_600_000;
const KEPT_MS_MAX = 48 * 3_600_000;
const KEPT_MS_MIN = 5 * 60_000;
/** Where there was no valid answer: not more than an hour. */
const FAILURE_KEPT_MS = 3_600_000;
const MAX_AGE = /(?:^|[\s,])max-age=(\d{1,10})/i;
const NO_STORE = /(?:^|[\s,])(?:no-store|no-cache)(?:$|[\s,;])/i;

/** Reads delegation files. Who asks remembers the answers. */
export class WellKnown {
  readonly #get: PlainGet;
  readonly #clock: Clock;

  constructor(get: PlainGet, clock: Clock) {
    this.#get = get;
    this.#clock = clock;
  }

  /** Whereto a host delegates. Never rejects: what can't be had or read is no delegation. */
  async find(hostname: string): Promise<Delegation> {
    const now = this.#clock.now();
    try {
      const answer = await this.#follow(new URL(`https://${hostname}/.well-known/matrix/server`));
      const server = answer.status === 200 ? delegatedServer(answer.body) : undefined;
      if (server !== undefined) return { server, untilTs: now + keptMs(answer.cacheControl) };
    } catch {
      // Nobody there, or no delegation: the same.
    }
    return { server: undefined, untilTs: now + FAILURE_KEPT_MS };
  }

  async #follow(start: URL): Promise<PlainAnswer> {
    const seen = new Set<string>();
    for (let url = start; seen.size <= REDIRECTS_MAX && !seen.has(url.href); ) {
      seen.add(url.href);
      const answer = await this.#get(url);
      if (answer.status < 300 || answer.status >= 400 || answer.location === undefined) return answer;
      url = new URL(answer.location, url);
      if (url.protocol !== 'https:') break;
    }
    throw new Error('too many redirects');
  }
}

function delegatedServer(body: string): ServerName | undefined {
  const value = parseJson(body);
  return isJsonObject(value) ? parseServerName(readString(value, 'm.server') ?? '') : undefined;
}

function keptMs(cacheControl: string | undefined): number {
  if (cacheControl === undefined) return KEPT_MS_DEFAULT;
  if (NO_STORE.test(cacheControl)) return KEPT_MS_MIN;
  const seconds = MAX_AGE.exec(cacheControl)?.[1];
  if (seconds === undefined) return KEPT_MS_DEFAULT;
  return Math.min(KEPT_MS_MAX, Math.max(KEPT_MS_MIN, Number(seconds) * 1000));
}
