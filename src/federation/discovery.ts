/**
 * Where a server is reached.
 * Spec: server-server-api/#resolving-server-names
 */

import { resolveSrv } from 'node:dns/promises';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { upTo } from '../lru.ts';
import { type ServerName, type ServerNameParts, splitServerName } from '../protocol/ids/index.ts';
import type { WellKnown } from './well-known.ts';

/** An address to connect to, with what the other side is called there. */
export interface Target {
  /** A name or an IP address, IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** The `Host` header. */
  readonly host: string;
  /** What the certificate must be for. */
  readonly certificateName: string;
}

/** Looks up SRV records; node's own in production. */
export type ResolveSrv = (
  name: string,
) => Promise<
  readonly { readonly name: string; readonly port: number; readonly priority: number; readonly weight: number }[]
>;

export interface DiscoveryOptions {
  readonly clock: Clock;
  readonly wellKnown: WellKnown;
  readonly random: () => number;
  readonly resolveSrv?: ResolveSrv;
}

const DEFAULT_PORT = 8448;
const CACHED_MAX = 10_000;
/** SRV records have a time to live that node doesn't tell. */
const SRV_KEPT_MS = 5 * 60_000;
const SRV_TIMEOUT_MS = 5_000;

interface Found {
  readonly targets: readonly Target[];
  readonly untilTs: number;
}

/** Finds servers, and remembers for a while where they are. */
export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #found = new LRUCache<ServerName, Found>(upTo(CACHED_MAX));
  readonly #running = new Map<ServerName, Promise<readonly Target[]>>();

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** The places to try, best first; never empty. */
  async find(server: ServerName): Promise<readonly Target[]> {
    const known = this.#found.get(server);
    if (known !== undefined && known.untilTs > this.#options.clock.now()) return known.targets;
    let running = this.#running.get(server);
    if (running === undefined) {
      running = this.#resolve(server).finally(() => this.#running.delete(server));
      this.#running.set(server, running);
    }
    return running;
  }

  /** What was found didn't answer: it is looked for anew. */
  forget(server: ServerName): void {
    this.#found.delete(server);
  }

  async #resolve(server: ServerName): Promise<readonly Target[]> {
    const parts = splitServerName(server);
    if (parts === undefined) throw new Error(`${server} is a server name`);
    const direct = directTarget(parts, server);
    if (direct !== undefined) return [direct];
    // Case 3: the server delegates.
    const delegated = await this.#options.wellKnown.find(parts.hostname);
    const delegatedParts = delegated.server === undefined ? undefined : splitServerName(delegated.server);
    const found =
      delegatedParts === undefined || delegated.server === undefined
        ? await this.#bySrv(parts.hostname)
        : await this.#delegatedTargets(delegatedParts, delegated.server);
    const untilTs = Math.min(delegated.untilTs, found.untilTs);
    this.#found.set(server, { targets: found.targets, untilTs });
    return found.targets;
  }

  async #delegatedTargets(parts: ServerNameParts, name: string): Promise<Found> {
    const direct = directTarget(parts, name);
    if (direct !== undefined) return { targets: [direct], untilTs: Number.MAX_SAFE_INTEGER };
    return this.#bySrv(parts.hostname);
  }

  /** Cases 3.3 to 3.5 and 4 to 6: SRV records, the old ones too, or else the default port. */
  async #bySrv(hostname: string): Promise<Found> {
    const untilTs = this.#options.clock.now() + SRV_KEPT_MS;
    for (const service of ['_matrix-fed._tcp', '_matrix._tcp']) {
      const records = await this.#srvRecords(`${service}.${hostname}`);
      if (records.length > 0) {
        const targets = records.map((record) => {
          return { hostname: record.name, port: record.port, host: hostname, certificateName: hostname };
        });
        return { targets, untilTs };
      }
    }
    return { targets: [{ hostname, port: DEFAULT_PORT, host: hostname, certificateName: hostname }], untilTs };
  }

  async #srvRecords(name: string) {
    const { random, resolveSrv: resolve = resolveSrv } = this.#options;
    try {
      const records = await withTimeout(resolve(name), SRV_TIMEOUT_MS);
      // By priority; within one, by weight and chance.
      const chances = new Map(records.map((record) => [record, random() ** (1 / (record.weight + 0.1))]));
      return records
        .filter((record) => record.name !== '' && record.name !== '.')
        .toSorted((a, b) => a.priority - b.priority || (chances.get(b) ?? 0) - (chances.get(a) ?? 0));
    } catch {
      // No such records is the usual case, and a name server that doesn't answer is no worse.
      return [];
    }
  }
}

/** Cases 1 and 2 (and 3.1, 3.2): an IP literal, or a name with a port. */
function directTarget({ kind, hostname, port }: ServerNameParts, name: string): Target | undefined {
  if (kind === 'dns' && port === undefined) return undefined;
  return { hostname, port: port ?? DEFAULT_PORT, host: name, certificateName: hostname };
}

async function withTimeout<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error('the name server did not answer in time')), timeoutMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
