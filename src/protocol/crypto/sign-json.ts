/**
 * Signatures on JSON objects.
 * Spec: appendices/#signing-json
 */
import { algorithmOf, type KeyId, parseKeyId, type ServerName, type UserId } from '../ids/index.ts';
import {
  canonicalJson,
  canonicalJsonLenient,
  type JsonObject,
  NotCanonicalError,
  readObject,
  readString,
} from '../json/index.ts';
import { verifyAsync, verifySignature } from './ed25519.ts';
import type { SigningKey } from './signing-key.ts';

/** Who signs: a server, or a user with cross-signing and device keys. */
export type SigningEntity = ServerName | UserId;

/**
 * The text that is signed: the object's canonical JSON without `signatures` and `unsigned`.
 * @throws NotCanonicalError
 */
export function signedText(object: JsonObject): string {
  return canonicalJson(withoutSignatures(object));
}

function withoutSignatures(object: JsonObject): JsonObject {
  const { signatures: _signatures, unsigned: _unsigned, ...rest } = object;
  return rest;
}

/**
 * The object with our signature beside those it has.
 * Spec: appendices/#signing-details
 * @throws NotCanonicalError
 */
export function signJson(object: JsonObject, entity: SigningEntity, key: SigningKey): JsonObject {
  return addSignature(object, entity, key.keyId, key.sign(signedText(object)));
}

/** The object with one more signature; one of the same entity and key is replaced. */
export function addSignature(object: JsonObject, entity: SigningEntity, keyId: KeyId, signature: string): JsonObject {
  const signatures = readObject(object, 'signatures') ?? {};
  const ofEntity = readObject(signatures, entity) ?? {};
  return { ...object, signatures: { ...signatures, [entity]: { ...ofEntity, [keyId]: signature } } };
}

/** The signature of `entity` by `keyId` on the object, or undefined where there is none. */
export function signatureOf(object: JsonObject, entity: SigningEntity, keyId: KeyId): string | undefined {
  const ofEntity = readObject(readObject(object, 'signatures') ?? {}, entity);
  return ofEntity === undefined ? undefined : readString(ofEntity, keyId);
}

/** The ids of the Ed25519 keys with which `entity` signed the object. Spec: appendices/#checking-for-a-signature, steps 1 and 2 */
export function signingKeyIds(object: JsonObject, entity: SigningEntity): readonly KeyId[] {
  const ofEntity = readObject(readObject(object, 'signatures') ?? {}, entity) ?? {};
  return Object.keys(ofEntity).flatMap((text) => {
    const keyId = parseKeyId(text);
    return keyId !== undefined && algorithmOf(keyId) === 'ed25519' ? [keyId] : [];
  });
}

/**
 * Whether the object bears a valid signature of `entity` by the key. `publicKey` is unpadded base64. What has no
 * canonical JSON, no such signature, or can't be decoded, isn't valid.
 * Spec: appendices/#checking-for-a-signature
 */
export function verifyJson(object: JsonObject, entity: SigningEntity, keyId: KeyId, publicKey: string): boolean {
  const signature = signatureOf(object, entity, keyId);
  const text = signature === undefined ? undefined : trySignedText(object);
  return signature !== undefined && text !== undefined && verifySignature(text, signature, publicKey);
}

/** As `verifyJson`, in the thread pool. */
export async function verifyJsonAsync(
  object: JsonObject,
  entity: SigningEntity,
  keyId: KeyId,
  publicKey: string,
): Promise<boolean> {
  const signature = signatureOf(object, entity, keyId);
  const text = signature === undefined ? undefined : trySignedText(object);
  return signature !== undefined && text !== undefined && verifyAsync(text, signature, publicKey);
}

/** Key responses and the like may come from old servers with floats in them; those are signed as they stand. */
function trySignedText(object: JsonObject): string | undefined {
  try {
    return canonicalJsonLenient(withoutSignatures(object));
  } catch (error) {
    if (error instanceof NotCanonicalError) return undefined;
    throw error;
  }
}
