/** Spec: data/api/client-server/cross_signing.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import type { Devices, SignatureUpload } from '../devices/index.ts';
import { type Route, route } from '../http/route.ts';
import { jsonObjectSchema } from '../http/schema.ts';
import { badJson } from '../protocol/errors.ts';
import { canonicalJsonLenient, isJsonObject, type JsonObject } from '../protocol/json/index.ts';
import { authSchema } from './auth-data.ts';
import { userIdOf } from './keys.ts';
import { v3 } from './paths.ts';

/** Each key is signed one by one: so many at once, and no more. */
const SIGNED_MAX = 500;
const BODY_BYTES_MAX = 2 * 1024 * 1024;

/** Cross-signing keys, and signatures on keys. */
export function crossSigningRoutes({
  accounts,
  devices,
}: {
  readonly accounts: Accounts;
  readonly devices: Devices;
}): Route[] {
  const { crossSigning, signatures } = devices;
  return [
    route({
      method: 'POST',
      path: [...v3('/keys/device_signing/upload'), '/_matrix/client/unstable/keys/device_signing/upload'],
      operationId: 'uploadCrossSigningKeys',
      spec: 'client-server-api/#post_matrixclientv3keysdevice_signingupload',
      auth: 'user',
      allowSuspended: true,
      body: z.object({
        auth: authSchema,
        master_key: jsonObjectSchema.nullish(),
        self_signing_key: jsonObjectSchema.nullish(),
        user_signing_key: jsonObjectSchema.nullish(),
      }),
      handle: async ({ requester, body, remote, now }) => {
        const { userId, tokenId } = requester;
        const upload = {
          ...(body.master_key && { master: body.master_key }),
          ...(body.self_signing_key && { self_signing: body.self_signing_key }),
          ...(body.user_signing_key && { user_signing: body.user_signing_key }),
        };
        if (!(await crossSigning.needsProof(userId, upload))) {
          await crossSigning.upload(userId, upload);
          return {};
        }
        const proof = await accounts.uia.require({
          operation: 'uploadCrossSigningKeys',
          userId,
          binding: canonicalJsonLenient(upload),
          flows: await accounts.reAuthentication.flowsForCrossSigning(userId, tokenId),
          auth: body.auth,
          remote,
          now,
        });
        await crossSigning.upload(userId, upload, (tx) => proof.close(tx));
        return {};
      },
    }),
    route({
      method: 'POST',
      path: [...v3('/keys/signatures/upload'), '/_matrix/client/unstable/keys/signatures/upload'],
      operationId: 'uploadCrossSigningSignatures',
      spec: 'client-server-api/#post_matrixclientv3keyssignaturesupload',
      auth: 'user',
      allowSuspended: true,
      bodyBytesMax: BODY_BYTES_MAX,
      body: jsonObjectSchema,
      handle: async ({ requester, body }) => ({
        failures: await signatures.upload(requester.userId, parseSignatures(body)),
      }),
    }),
  ];
}

function parseSignatures(body: JsonObject): SignatureUpload {
  let count = 0;
  const users = Object.entries(body).map(([user, objects]) => {
    if (!isJsonObject(objects)) throw badJson('The body must be signed objects, by user and key');
    const signed = Object.entries(objects).map(([target, object]): [string, JsonObject] => {
      if (!isJsonObject(object)) throw badJson('The body must be signed objects, by user and key');
      return [target, object];
    });
    count += signed.length;
    return [userIdOf(user), new Map(signed)] as const;
  });
  if (count > SIGNED_MAX) throw badJson(`At most ${SIGNED_MAX} objects can be signed at once`);
  return new Map(users);
}
