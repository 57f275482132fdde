import type { Clock } from '../../clock.ts';
import { type SigningKey, signJson } from '../../protocol/crypto/index.ts';
import type { ServerName } from '../../protocol/ids/index.ts';
import type { JsonObject, JsonValue } from '../../protocol/json/index.ts';

/** A key of ours that no longer signs. */
export interface OldKey {
  readonly key_id: string;
  readonly public_key: string;
  readonly expired_ts: number;
}

export interface OwnKeysOptions {
  readonly serverName: ServerName;
  /** The first one signs. */
  readonly signingKeys: readonly [SigningKey, ...SigningKey[]];
  readonly oldKeys: readonly OldKey[];
  readonly clock: Clock;
}

const VALID_MS = 24 * 3_600_000;
/** Others shall not come back too often. */
const VALID_MS_MIN = 12 * 3_600_000;

/** Our own keys as others get them. Spec: server-server-api/#publishing-keys */
export class OwnKeys {
  readonly #options: OwnKeysOptions;
  #published: { readonly json: JsonObject; readonly untilTs: number } | undefined;

  constructor(options: OwnKeysOptions) {
    this.#options = options;
  }

  /** The signed key object; the same one for half a day. */
  publish(): JsonObject {
    const { clock, serverName, signingKeys, oldKeys } = this.#options;
    const now = clock.now();
    if (this.#published !== undefined && this.#published.untilTs - now > VALID_MS_MIN) return this.#published.json;
    const untilTs = now + VALID_MS;
    const verifyKeys: Record<string, JsonValue> = {};
    for (const { keyId, publicKey } of signingKeys) verifyKeys[keyId] = { key: publicKey };
    const oldVerifyKeys: Record<string, JsonValue> = {};
    for (const old of oldKeys) oldVerifyKeys[old.key_id] = { key: old.public_key, expired_ts: old.expired_ts };
    let json: JsonObject = {
      server_name: serverName,
      valid_until_ts: untilTs,
      verify_keys: verifyKeys,
      old_verify_keys: oldVerifyKeys,
    };
    for (const key of signingKeys) json = signJson(json, serverName, key);
    this.#published = { json, untilTs };
    return json;
  }

  /** The object with our signature beside its own: what a notary hands on. */
  countersign(object: JsonObject): JsonObject {
    const { serverName, signingKeys } = this.#options;
    return signJson(object, serverName, signingKeys[0]);
  }

  /** The public key of ours with this id, if it is one that signs. */
  find(keyId: string): string | undefined {
    return this.#options.signingKeys.find((key) => key.keyId === keyId)?.publicKey;
  }
}
