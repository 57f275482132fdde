import type { Requester } from '../http/route.ts';
import { forbidden } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';

/** Throws 403 `M_FORBIDDEN` where a user asks for what belongs to somebody else. */
export function assertOwn(requester: Requester, userId: UserId): void {
  if (requester.userId !== userId) throw forbidden('This belongs to another user');
}
