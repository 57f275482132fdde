import type { Event } from '../event/index.ts';
import { readString } from '../json/index.ts';
import type { RoomVersionRules } from '../room-versions/index.ts';
import type { AuthState } from './auth-state.ts';
import { type PowerLevels, powerLevels } from './power-levels.ts';

/** What the authorization rules look at: an event, the state it is judged by, and what follows from the two. */
export class Subject {
  readonly event: Event;
  readonly rules: RoomVersionRules;
  readonly state: AuthState;
  private knownLevels: PowerLevels | undefined;

  constructor(event: Event, state: AuthState) {
    this.event = event;
    this.rules = event.rules;
    this.state = state;
    this.knownLevels = undefined;
  }

  get create(): Event | undefined {
    return this.state.get('m.room.create', '');
  }

  get levels(): PowerLevels {
    this.knownLevels ??= powerLevels(this.state, this.rules);
    return this.knownLevels;
  }

  get senderLevel(): number {
    return this.levels.users(this.event.sender);
  }

  /** The `membership` that a membership event sets. */
  get membership(): string | undefined {
    return readString(this.event.content, 'membership');
  }

  /** The user whom a membership event is about. Spec: server-server-api/#definitions */
  get target(): string {
    return this.event.stateKey ?? '';
  }

  /** The room's `join_rule`; `invite` where it has none. */
  get joinRule(): string {
    const event = this.state.get('m.room.join_rules', '');
    return (event && readString(event.content, 'join_rule')) ?? 'invite';
  }

  /** A user's membership in the state; `leave` for those who were never there. */
  membershipOf(userId: string): string {
    const event = this.state.get('m.room.member', userId);
    return (event && readString(event.content, 'membership')) ?? 'leave';
  }
}
