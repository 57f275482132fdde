import type { RoomId, ServerName, UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';

/** Who does something to whose membership. */
export interface MembershipRequest {
  readonly roomId: RoomId;
  readonly sender: UserId;
  readonly target: UserId;
  readonly reason?: string | undefined;
  /** Further keys of the member event's content. */
  readonly content?: JsonObject | undefined;
}

/** A request of a user for himself. */
export interface OwnMembershipRequest {
  readonly roomId: RoomId;
  readonly userId: UserId;
  readonly reason?: string | undefined;
  readonly content?: JsonObject | undefined;
  readonly isGuest?: boolean | undefined;
  /** The account is gone: no invite has to stay. */
  readonly isForced?: boolean | undefined;
  /** Other servers that may help where nobody of this server is in the room. */
  readonly via?: readonly ServerName[] | undefined;
}
