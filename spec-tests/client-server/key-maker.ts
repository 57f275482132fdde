/** Keys as clients make them, with true signatures. */
import { randomBytes } from 'node:crypto';
import { encodeBase64, generateSigningKey, type SigningKey, signJson } from '../../src/protocol/crypto/index.ts';
import { parseKeyId, parseUserId, type UserId } from '../../src/protocol/ids/index.ts';
import type { JsonObject } from '../../src/protocol/json/index.ts';
import type { TestUser } from '../../src/testing/test-user.ts';

/** The keys of one device. */
export class KeyMaker {
  readonly userId: UserId;
  readonly deviceId: string;
  readonly key: SigningKey;
  readonly #curve = randomKey();

  constructor(user: Pick<TestUser, 'userId' | 'deviceId'>) {
    const userId = parseUserId(user.userId);
    if (userId === undefined) throw new Error('not a user id');
    this.userId = userId;
    this.deviceId = user.deviceId;
    this.key = generateSigningKey(user.deviceId, randomBytes(32));
  }

  /** Identity keys, signed by themselves. */
  deviceKeys(changes: JsonObject = {}): JsonObject {
    const keys = {
      user_id: this.userId,
      device_id: this.deviceId,
      algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
      keys: {
        [`curve25519:${this.deviceId}`]: this.#curve,
        [`ed25519:${this.deviceId}`]: this.key.publicKey,
      },
      ...changes,
    };
    return signJson(keys, this.userId, this.key);
  }

  /** One-time keys `signed_curve25519:<prefix><n>`. */
  oneTimeKeys(count: number, prefix = 'k'): JsonObject {
    return Object.fromEntries(
      Array.from({ length: count }, (_, n) => [`signed_curve25519:${prefix}${n}`, this.signed({ key: randomKey() })]),
    );
  }

  /** A fallback key. */
  fallbackKey(id = 'fallback'): JsonObject {
    return { [`signed_curve25519:${id}`]: this.signed({ key: randomKey(), fallback: true }) };
  }

  signed(object: JsonObject): JsonObject {
    return signJson(object, this.userId, this.key);
  }
}

/** A cross-signing key: its object is named by its public part. */
export class CrossSigningMaker {
  readonly userId: UserId;
  readonly usage: 'master' | 'self_signing' | 'user_signing';
  readonly key: SigningKey;

  constructor(user: Pick<TestUser, 'userId'>, usage: CrossSigningMaker['usage']) {
    const userId = parseUserId(user.userId);
    if (userId === undefined) throw new Error('not a user id');
    this.userId = userId;
    this.usage = usage;
    this.key = namedByItself(randomBytes(32));
  }

  get publicKey(): string {
    return this.key.publicKey;
  }

  /** The key as it is uploaded, signed by the keys given. */
  object(...signers: readonly SigningKey[]): JsonObject {
    let object: JsonObject = {
      user_id: this.userId,
      usage: [this.usage],
      keys: { [`ed25519:${this.publicKey}`]: this.publicKey },
    };
    for (const signer of signers) object = signJson(object, this.userId, signer);
    return object;
  }

  /** An object with this key's signature added. */
  sign(object: JsonObject): JsonObject {
    return signJson(object, this.userId, this.key);
  }
}

/** A key whose id ends in its public part. */
function namedByItself(seed: Uint8Array): SigningKey {
  const key = generateSigningKey('a', seed);
  const keyId = parseKeyId(`ed25519:${key.publicKey}`);
  if (keyId === undefined) throw new Error('not a key id');
  return { keyId, publicKey: key.publicKey, sign: (bytes) => key.sign(bytes), exportSeed: () => key.exportSeed() };
}

function randomKey(): string {
  return encodeBase64(randomBytes(32));
}
