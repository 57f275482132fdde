import type { Accounts, User } from '../accounts/index.ts';
import { invalidParam, notFound } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';

/** An account of this server, deactivated or not. @throws MatrixError 400 for another server's user, 404 for an unknown one */
export async function getLocalUser(accounts: Accounts, userId: UserId): Promise<User> {
  if (!accounts.isLocal(userId)) throw invalidParam('The user does not belong to this server');
  const user = await accounts.users.find(userId);
  if (user === undefined) throw notFound('User not found');
  return user;
}
