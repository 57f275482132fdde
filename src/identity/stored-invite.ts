import { decodeBase64 } from '../protocol/crypto/index.ts';
import { isJsonObject, type JsonObject, readArray, readString } from '../protocol/json/index.ts';

/** An invite that an identity server keeps until somebody proves to own the address. */
export interface StoredInvite {
  readonly token: string;
  /** Content of the `m.room.third_party_invite`. */
  readonly content: JsonObject;
}

const TOKEN = /^[0-9a-zA-Z.=_-]{1,255}$/;
const KEYS_MAX = 8;
const NAME_CHARS_MAX = 255;
const URL_CHARS_MAX = 2000;
const ED25519_KEY_BYTES = 32;

/** Reads the answer of `store-invite`; undefined where it can't be used. `address`: whom the invite is for. */
export function storedInviteOf(answer: JsonObject, address: string): StoredInvite | undefined {
  const token = readString(answer, 'token');
  const keys = (readArray(answer, 'public_keys') ?? []).flatMap((one) => (isJsonObject(one) ? (keyOf(one) ?? []) : []));
  const [first] = keys;
  if (token === undefined || !TOKEN.test(token) || first === undefined || keys.length > KEYS_MAX) return undefined;
  const name = readString(answer, 'display_name')?.slice(0, NAME_CHARS_MAX);
  // The whole room reads it, and the address is nobody's business.
  const isSafe = name !== undefined && !name.toLowerCase().includes(address.toLowerCase());
  return { token, content: { display_name: isSafe ? name : shortened(address), ...first, public_keys: keys } };
}

function keyOf(entry: JsonObject): { public_key: string; key_validity_url: string } | undefined {
  const public_key = readString(entry, 'public_key');
  const key_validity_url = readString(entry, 'key_validity_url');
  if (public_key === undefined || key_validity_url === undefined) return undefined;
  const isUrl = key_validity_url.length <= URL_CHARS_MAX && /^https?:\/\//.test(key_validity_url);
  return isUrl && isKey(public_key) ? { public_key, key_validity_url } : undefined;
}

function isKey(text: string): boolean {
  return decodeBase64(text)?.length === ED25519_KEY_BYTES;
}

/** `alice@example.org` -> `a...@e...` */
function shortened(address: string): string {
  return address
    .split('@')
    .map((part) => `${part.slice(0, 1)}...`)
    .join('@');
}
