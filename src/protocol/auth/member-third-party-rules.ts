import { signedText, verifySignature } from '../crypto/index.ts';
import type { Event } from '../event/index.ts';
import {
  isJsonObject,
  type JsonObject,
  NotCanonicalError,
  readArray,
  readObject,
  readString,
  readValue,
} from '../json/index.ts';
import type { Rule } from './rule.ts';
import type { Subject } from './subject.ts';
import { type Outcome, refuse } from './verdict.ts';

/** A crafted pair of events could hold hundreds of thousands of pairs of signature and key. Real ones hold two. */
const VERIFICATIONS_MAX = 64;

/**
 * Invitations that redeem a third-party invite, as one to an e-mail address.
 * Spec: rooms/v1/#authorisation-rules, rule 5.3.1, to rooms/v12/#authorisation-rules, rule 5.4.1
 */
export const thirdPartyInviteRules: Rule<Subject> = {
  name: 'third-party invite',
  when: ({ event }) => readValue(event.content, 'third_party_invite') !== undefined,
  rules: [
    { name: 'invited user is banned', check: targetIsNotBanned },
    { name: 'third-party invite is not signed', check: hasSigned },
    { name: 'signed has no mxid or no token', check: hasMxidAndToken },
    { name: 'signed for another user', check: isSignedForTarget },
    { name: 'no m.room.third_party_invite with this token', check: hasThirdPartyInvite },
    { name: 'third-party invite is of another sender', check: isOfSameSender },
    { name: 'validly signed', check: isValidlySigned },
    { name: 'no valid signature', check: () => refuse('no key of the third-party invite made a signature') },
  ],
};

function signedOf({ event }: Subject): JsonObject {
  const invite = readObject(event.content, 'third_party_invite') ?? {};
  return readObject(invite, 'signed') ?? {};
}

function thirdPartyInviteOf(subject: Subject): Event | undefined {
  const token = readString(signedOf(subject), 'token');
  return token === undefined ? undefined : subject.state.get('m.room.third_party_invite', token);
}

function targetIsNotBanned(subject: Subject): Outcome {
  return subject.membershipOf(subject.target) === 'ban' ? refuse(`${subject.target} is banned`) : 'next';
}

function hasSigned({ event }: Subject): Outcome {
  const invite = readObject(event.content, 'third_party_invite');
  return invite !== undefined && readObject(invite, 'signed') !== undefined ? 'next' : refuse('no object signed');
}

function hasMxidAndToken(subject: Subject): Outcome {
  const signed = signedOf(subject);
  const hasBoth = readString(signed, 'mxid') !== undefined && readString(signed, 'token') !== undefined;
  return hasBoth ? 'next' : refuse('mxid and token must be strings');
}

function isSignedForTarget(subject: Subject): Outcome {
  const mxid = readString(signedOf(subject), 'mxid');
  return mxid === subject.target ? 'next' : refuse(`${mxid} instead of ${subject.target}`);
}

function hasThirdPartyInvite(subject: Subject): Outcome {
  return thirdPartyInviteOf(subject) === undefined ? refuse(`token ${readString(signedOf(subject), 'token')}`) : 'next';
}

function isOfSameSender(subject: Subject): Outcome {
  const inviter = thirdPartyInviteOf(subject)?.sender;
  const { sender } = subject.event;
  return inviter === sender ? 'next' : refuse(`${sender} instead of ${inviter}`);
}

function isValidlySigned(subject: Subject): Outcome {
  const invite = thirdPartyInviteOf(subject);
  if (invite === undefined) return 'next';
  return thirdPartySigners(signedOf(subject), invite.content).next().done === true ? 'next' : 'allow';
}

/**
 * The public keys of an `m.room.third_party_invite` by which an object was signed, found one after the other, since each
 * costs a verification. Spec: client-server-api/#mroomthird_party_invite
 */
export function* thirdPartySigners(signed: JsonObject, inviteContent: JsonObject): Generator<string> {
  const text = trySignedText(signed);
  if (text === undefined) return;
  const signatures = ed25519SignaturesOf(signed);
  let verifications = 0;
  for (const publicKey of publicKeysOf(inviteContent)) {
    for (const signature of signatures) {
      verifications += 1;
      if (verifications > VERIFICATIONS_MAX) return;
      if (!verifySignature(text, signature, publicKey)) continue;
      yield publicKey;
      break;
    }
  }
}

function trySignedText(signed: JsonObject): string | undefined {
  try {
    return signedText(signed);
  } catch (error) {
    if (error instanceof NotCanonicalError) return undefined;
    throw error;
  }
}

function ed25519SignaturesOf(signed: JsonObject): Set<string> {
  const found = new Set<string>();
  for (const ofEntity of Object.values(readObject(signed, 'signatures') ?? {})) {
    if (!isJsonObject(ofEntity)) continue;
    for (const [keyId, signature] of Object.entries(ofEntity)) {
      if (keyId.startsWith('ed25519:') && typeof signature === 'string') found.add(signature);
    }
  }
  return found;
}

function publicKeysOf(content: JsonObject): Set<string> {
  const found = new Set<string>();
  const single = readString(content, 'public_key');
  if (single !== undefined) found.add(single);
  for (const entry of readArray(content, 'public_keys') ?? []) {
    const key = isJsonObject(entry) ? readString(entry, 'public_key') : undefined;
    if (key !== undefined) found.add(key);
  }
  return found;
}
