/** Ed25519 keys and signatures, base64, hashes of texts and of events. */
export { contentHash, referenceHash } from '../event/hashes.ts';
export { decodeBase64, encodeBase64, encodeBase64Url } from './base64.ts';
export { verifyAsync, verifySignature } from './ed25519.ts';
export { sha256Base64, sha256Base64Url } from './sha256.ts';
export {
  addSignature,
  type SigningEntity,
  signatureOf,
  signedText,
  signingKeyIds,
  signJson,
  verifyJson,
  verifyJsonAsync,
} from './sign-json.ts';
export {
  BadSigningKeyFileError,
  formatSigningKeyFile,
  generateSigningKey,
  parseSigningKeyFile,
  type SigningKey,
} from './signing-key.ts';
