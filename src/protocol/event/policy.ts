import { type KeyId, parseKeyId, parseServerName, type ServerName } from '../ids/index.ts';
import { type JsonObject, readObject, readString } from '../json/index.ts';

/** The server that a room has its events checked by, and the key with which it says that one is welcome. */
export interface PolicyServer {
  readonly via: ServerName;
  /** Ed25519, base64. */
  readonly publicKey: string;
}

/** The type of the state event that names a room's policy server. */
export const POLICY_TYPE = 'm.room.policy';

/** What all policy servers call their Ed25519 key. */
export const POLICY_KEY_ID: KeyId = parseKeyId('ed25519:policy_server') ?? raise();

/** What `m.room.policy` names; undefined where it isn't valid. Spec: client-server-api/#mroompolicy */
export function policyServerOf(content: JsonObject): PolicyServer | undefined {
  const via = parseServerName(readString(content, 'via') ?? '');
  const publicKey = readString(readObject(content, 'public_keys') ?? {}, 'ed25519');
  return via === undefined || publicKey === undefined ? undefined : { via, publicKey };
}

/** Whether an event needs no word of the policy server: only the one that says who that is. */
export function isPolicyExempt({ type, stateKey }: { type: string; stateKey?: string | undefined }): boolean {
  return type === POLICY_TYPE && stateKey === '';
}

function raise(): never {
  throw new Error('the name of the key is none');
}
