/**
 * Signatures that users put on keys that are published already.
 * Spec: client-server-api/#post_matrixclientv3keyssignaturesupload
 */
import { verifyJson } from '../protocol/crypto/index.ts';
import { invalidParam, MatrixError, notFound } from '../protocol/errors.ts';
import { parseKeyId, type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { type JsonObject, readObject, readString } from '../protocol/json/index.ts';
import type { Database, ReadTx, WriteTx } from '../storage/index.ts';
import type { DeviceLists } from './device-lists.ts';
import { invalidSignature, type PublishedKey, publishedKey, storedObject, unsignedText } from './key-objects.ts';
import { askServers, type RemoteKeys } from './remote-keys.ts';
import { crossSigningKeysOf, putSignature } from './store/cross-signing-keys.ts';
import { deviceKeysOf, findDeviceKeys } from './store/device-keys.ts';

/** User -> key id (a device id or a public key) -> the signed object. */
export type SignatureUpload = ReadonlyMap<UserId, ReadonlyMap<string, JsonObject>>;

/** User -> key id -> why its signature was not taken. */
export type SignatureFailures = Record<string, Record<string, object>>;

/** A key that may be signed, and the keys that may sign it: id -> public key. */
interface Signable {
  readonly json: string;
  readonly signers: ReadonlyMap<string, string>;
  /** The key's own signature, which may come along. */
  readonly ownKeyId: string;
}

export interface SignaturesDeps {
  readonly database: Database;
  readonly lists: DeviceLists;
  readonly serverName: ServerName;
  /** The way to the master keys of other servers' users. */
  readonly remote: RemoteKeys | undefined;
}

export class Signatures {
  readonly #deps: SignaturesDeps;

  constructor(deps: SignaturesDeps) {
    this.#deps = deps;
  }

  /** Adds signatures; those that can't be taken come back, the others are taken nevertheless. */
  async upload(signer: UserId, upload: SignatureUpload): Promise<SignatureFailures> {
    const { database, lists } = this.#deps;
    const foreign = await this.#foreignMasters(upload.keys());
    return database.write('main', async (tx) => {
      const failures: SignatureFailures = {};
      for (const [userId, objects] of upload) {
        let hasChanged = false;
        for (const [target, object] of objects) {
          const failure = await take(tx, signer, userId, target, object, foreign);
          if (failure === undefined) hasChanged = true;
          else failures[userId] = { ...failures[userId], [target]: failure.toBody() };
        }
        if (!hasChanged) continue;
        if (userId === signer) await lists.noteChange(tx, userId);
        else await lists.noteSigned(tx, userId, signer);
      }
      return failures;
    });
  }

  /** The master keys of those of other servers, as far as they can be had. */
  async #foreignMasters(users: Iterable<UserId>): Promise<ReadonlyMap<UserId, PublishedKey>> {
    const { serverName, remote } = this.#deps;
    const wanted = new Map([...users].filter((user) => serverNameOf(user) !== serverName).map((user) => [user, []]));
    const masters = new Map<UserId, PublishedKey>();
    if (remote === undefined || wanted.size === 0) return masters;
    const { byKey } = await askServers(wanted, ['master_keys'], (server, of) => remote.query(server, of));
    for (const [userId, object] of byKey.get('master_keys') ?? []) {
      const key = publishedKey(object);
      if (key !== undefined) masters.set(userId, key);
    }
    return masters;
  }
}

async function take(
  tx: WriteTx,
  signer: UserId,
  userId: UserId,
  target: string,
  object: JsonObject,
  foreign: ReadonlyMap<UserId, PublishedKey>,
): Promise<MatrixError | undefined> {
  try {
    const signable = await findSignable(tx, signer, userId, target, foreign.get(userId));
    if (signable === undefined) return notFound('There is no such key');
    for (const [signingKey, signature] of checkSignatures(signer, object, signable)) {
      await putSignature(tx, { signer, target_user: userId, target, signing_key: signingKey, signature });
    }
    return undefined;
  } catch (error) {
    if (error instanceof MatrixError) return error;
    throw error;
  }
}

/**
 * A key with the keys of `signer` that may sign it: a device of one's own by the self-signing key, one's own master key
 * by devices, and the master key of others by the user-signing key.
 */
async function findSignable(
  tx: ReadTx,
  signer: UserId,
  userId: UserId,
  target: string,
  foreign: PublishedKey | undefined,
): Promise<Signable | undefined> {
  const keys = await crossSigningKeysOf(tx, userId);
  const ours = keys.find((key) => key.usage === 'master' && key.public_key === target);
  const master = foreign?.publicKey === target ? foreign : ours;
  const ownKeyId = `ed25519:${target}`;
  if (userId !== signer) {
    const own = await crossSigningKeysOf(tx, signer);
    const signers = own.filter((key) => key.usage === 'user_signing').map((key) => entryOf(key.public_key));
    return master && { json: master.json, signers: new Map(signers), ownKeyId };
  }
  if (master !== undefined) return { json: master.json, signers: await deviceSigners(tx, userId), ownKeyId };
  const device = await findDeviceKeys(tx, userId, target);
  const signers = keys.filter((key) => key.usage === 'self_signing').map((key) => entryOf(key.public_key));
  return device === undefined ? undefined : { json: device, signers: new Map(signers), ownKeyId };
}

/** The Ed25519 keys of a user's devices. */
async function deviceSigners(tx: ReadTx, userId: UserId): Promise<ReadonlyMap<string, string>> {
  const rows = await deviceKeysOf(tx, userId);
  return new Map(
    rows.flatMap((row) => {
      const keyId = `ed25519:${row.device_id}`;
      const key = readString(readObject(storedObject(row.json), 'keys') ?? {}, keyId);
      return key === undefined ? [] : [[keyId, key] as const];
    }),
  );
}

function entryOf(publicKey: string): readonly [string, string] {
  return [`ed25519:${publicKey}`, publicKey];
}

/** The signatures to keep. Throws where the object is another one, or one of its signatures is wrong. */
function checkSignatures(
  signer: UserId,
  object: JsonObject,
  { json, signers, ownKeyId }: Signable,
): readonly (readonly [signingKey: string, signature: string])[] {
  const signatures = Object.entries(readObject(readObject(object, 'signatures') ?? {}, signer) ?? {});
  if (signatures.length === 0) throw invalidSignature('There is no signature of yours');
  if (unsignedText(object) !== unsignedText(storedObject(json))) {
    throw invalidParam('The signed object is not the one that was published');
  }
  // The object comes as the client has it, so maybe with signatures of devices that are gone: these are passed over.
  const others = signatures.filter(([signingKey]) => signingKey !== ownKeyId);
  if (others.length > 0 && !others.some(([signingKey]) => signers.has(signingKey))) {
    throw invalidSignature('The signing key is unknown, or may not sign this key');
  }
  return others.flatMap(([signingKey, signature]) => {
    const publicKey = signers.get(signingKey);
    if (publicKey === undefined) return [];
    const keyId = parseKeyId(signingKey);
    if (keyId === undefined || typeof signature !== 'string') throw invalidSignature('This is no signature');
    if (!verifyJson(object, signer, keyId, publicKey)) throw invalidSignature('Invalid signature');
    return [[signingKey, signature] as const];
  });
}
