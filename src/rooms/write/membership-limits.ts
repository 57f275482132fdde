import type { RateLimitName } from '../../config/index.ts';
import type { RoomId, ServerName, UserId } from '../../protocol/ids/index.ts';

/** The part of the rate limits that memberships are counted by. They throw 429 `M_LIMIT_EXCEEDED`. */
export interface MembershipRates {
  take(name: RateLimitName, key: string): void;
  takeTogether(name: RateLimitName, key: string, count: number): void;
}

/** Keeps floods of invites and joins out, wherever they come from. */
export class MembershipLimits {
  readonly #rates: MembershipRates | undefined;

  /** Without rates, nothing is limited. */
  constructor(rates: MembershipRates | undefined) {
    this.#rates = rates;
  }

  /** A user is invited, by whomever. */
  invited(target: UserId): void {
    this.#rates?.take('invite_received', target);
  }

  /** A user invites in another way than by the endpoint for it, which counts by itself: `count` users at once. */
  invites(sender: UserId, count: number): void {
    this.#rates?.takeTogether('invite', sender, count);
  }

  /** Another server sends an invite. */
  inviteFrom(server: ServerName): void {
    this.#rates?.take('invite_server', server);
  }

  /** Somebody comes into a room that we are in. */
  joins(roomId: RoomId): void {
    this.#rates?.take('join_room', roomId);
  }

  /** One of our users joins a room with the help of other servers. */
  joinsRemote(userId: UserId): void {
    this.#rates?.take('join_remote', userId);
  }

  /** A user joins in another way than by the endpoints for it. */
  joinsAsState(userId: UserId): void {
    this.#rates?.take('join', userId);
  }
}
