import { readFileSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/index.ts';
import type { SigningKey } from '../protocol/crypto/index.ts';
import { parseServerName, type ServerName } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import { RequestVerifier } from './authenticator.ts';
import { Backoff } from './backoff.ts';
import { FederationCalls } from './calls.ts';
import { FederationClient } from './client.ts';
import { Connections } from './connections.ts';
import { Discovery } from './discovery.ts';
import { EventSignatures } from './event-signatures.ts';
import { KeyRing } from './keys/key-ring.ts';
import { OwnKeys } from './keys/own-keys.ts';
import { RemoteLookups } from './lookups.ts';
import { ServerPolicy } from './policy.ts';
import { WellKnown } from './well-known.ts';

export interface FederationDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly config: Pick<Config, 'federation'>;
  readonly serverName: ServerName;
  readonly signingKeys: readonly [SigningKey, ...SigningKey[]];
  readonly userAgent: string;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Talking to other servers: finding them, trusting them, asking them. What is said is the domains' affair. */
export class Federation implements AsyncDisposable {
  readonly serverName: ServerName;
  readonly isEnabled: boolean;
  readonly calls: FederationCalls;
  readonly lookups: RemoteLookups;
  readonly keyRing: KeyRing;
  readonly ownKeys: OwnKeys;
  readonly signatures: EventSignatures;
  readonly backoff: Backoff;
  readonly policy: ServerPolicy;
  /** Verifies incoming requests. */
  readonly verifier: RequestVerifier;
  readonly #connections: Connections;

  constructor({ database, clock, config, serverName, signingKeys, userAgent, random }: FederationDeps) {
    const { federation: options } = config;
    this.serverName = serverName;
    this.isEnabled = options.enabled;
    this.policy = new ServerPolicy({
      allowed: options.enabled ? options.allowed_servers : [],
      denied: options.denied_servers,
    });
    this.backoff = new Backoff(clock, random);
    const connections = new Connections({
      ca: options.ca_file === undefined ? undefined : readFileSync(options.ca_file, 'utf8'),
      allowPrivateAddresses: options.allow_private_addresses,
      userAgent,
      sourceAddress: options.source_address,
    });
    const wellKnown = new WellKnown((url) => connections.getPlain(url), clock);
    const client = new FederationClient({
      serverName,
      signingKey: signingKeys[0],
      discovery: new Discovery({ clock, wellKnown, random }),
      connections,
      backoff: this.backoff,
      policy: this.policy,
      requestTimeoutMs: options.request_timeout,
    });
    this.#connections = connections;
    this.calls = new FederationCalls(client);
    this.lookups = new RemoteLookups(this.calls, clock);
    this.ownKeys = new OwnKeys({ serverName, signingKeys, oldKeys: options.old_signing_keys, clock });
    const notaries = options.trusted_key_servers.flatMap((name) => parseServerName(name) ?? []);
    this.keyRing = new KeyRing({ database, client, own: this.ownKeys, clock, serverName, notaries });
    this.signatures = new EventSignatures(this.keyRing);
    const { keyRing, policy, backoff } = this;
    this.verifier = new RequestVerifier({ serverName, keyRing, policy, backoff });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#connections[Symbol.asyncDispose]();
  }
}
