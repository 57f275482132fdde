/** Spec: data/api/client-server/tags.yaml */
import { z } from 'zod';
import type { Accounts } from '../accounts/index.ts';
import { type Route, route } from '../http/route.ts';
import { roomIdSchema, userIdSchema } from '../http/schema.ts';
import { badJson, invalidParam } from '../protocol/errors.ts';
import { fitsBytes } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject } from '../protocol/json/index.ts';
import { assertOwn } from './own-account.ts';
import { v3 } from './paths.ts';

const params = z.object({ userId: userIdSchema, roomId: roomIdSchema });
const tagParams = params.extend({ tag: z.string().min(1) });
const TAG_BYTES_MAX = 255;

/** What a user says of a tag. Besides the order, clients may keep more in it. */
const tagSchema = z.custom<JsonObject>(isJsonObject, 'must be an object').transform((tag) => {
  if ('order' in tag && typeof tag.order !== 'number') throw badJson('order must be a number');
  return tag;
});

/** The tags by which users order their rooms. */
export function tagsRoutes({ accounts: { accountData } }: { accounts: Accounts }): Route[] {
  return [
    route({
      method: 'GET',
      path: v3('/user/{userId}/rooms/{roomId}/tags'),
      operationId: 'getRoomTags',
      spec: 'client-server-api/#get_matrixclientv3useruseridroomsroomidtags',
      auth: 'user',
      params,
      handle: async ({ requester, params: { userId, roomId } }) => {
        assertOwn(requester, userId);
        return { tags: await accountData.tags(userId, roomId) };
      },
    }),
    route({
      method: 'PUT',
      path: v3('/user/{userId}/rooms/{roomId}/tags/{tag}'),
      operationId: 'setRoomTag',
      spec: 'client-server-api/#put_matrixclientv3useruseridroomsroomidtagstag',
      auth: 'user',
      allowSuspended: true,
      params: tagParams,
      body: tagSchema,
      handle: async ({ requester, params: { userId, roomId, tag }, body }) => {
        assertOwn(requester, userId);
        if (!fitsBytes(tag, TAG_BYTES_MAX)) throw invalidParam(`A tag may have at most ${TAG_BYTES_MAX} bytes`);
        await accountData.setTag(userId, roomId, tag, body);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: v3('/user/{userId}/rooms/{roomId}/tags/{tag}'),
      operationId: 'deleteRoomTag',
      spec: 'client-server-api/#delete_matrixclientv3useruseridroomsroomidtagstag',
      auth: 'user',
      allowSuspended: true,
      params: tagParams,
      handle: async ({ requester, params: { userId, roomId, tag } }) => {
        assertOwn(requester, userId);
        await accountData.deleteTag(userId, roomId, tag);
        return {};
      },
    }),
  ];
}
