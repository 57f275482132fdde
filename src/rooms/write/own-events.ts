import type { Clock } from '../../clock.ts';
import { addSignature, type SigningKey } from '../../protocol/crypto/index.ts';
import { badJson, tooLarge } from '../../protocol/errors.ts';
import {
  BadPduError,
  buildEvent,
  canonicalJsonFor,
  Event,
  type EventDraft,
  eventSignedText,
} from '../../protocol/event/index.ts';
import type { RoomId, ServerName } from '../../protocol/ids/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import { inEventParts, newEventId, nextDepth } from './event-parts.ts';
import type { Extremity, StateEntry } from './hot-room.ts';
import type { Proposal } from './room-writer.ts';

/** Makes and signs the events of this server. */
export class OwnEvents {
  readonly #clock: Clock;
  readonly #serverName: ServerName;
  readonly #signingKey: SigningKey;

  constructor({ clock, serverName, signingKey }: { clock: Clock; serverName: ServerName; signingKey: SigningKey }) {
    this.#clock = clock;
    this.#serverName = serverName;
    this.#signingKey = signingKey;
  }

  /** What somebody proposes as an event after `prev`. @throws MatrixError 400, 413 */
  propose(
    rules: RoomVersionRules,
    roomId: RoomId | undefined,
    proposal: Proposal,
    prev: readonly Extremity[],
    auth: readonly StateEntry[],
  ): Event {
    const { type, sender, stateKey, content, redacts, stickyDurationMs } = proposal;
    const isRoomless = rules.createEventIsRoomId && type === 'm.room.create';
    const draft = {
      type,
      sender,
      content,
      originServerTs: proposal.originServerTs ?? this.#clock.now(),
      depth: nextDepth(prev),
      prevEvents: prev.map((extremity) => extremity.eventId),
      authEvents: auth.map((entry) => entry.eventId),
      ...(isRoomless || roomId === undefined ? {} : { roomId }),
      ...(stateKey === undefined ? {} : { stateKey }),
      ...(redacts === undefined ? {} : { redacts: redacts.event.eventId }),
      ...(stickyDurationMs === undefined ? {} : { stickyDurationMs }),
      ...(rules.eventIds === 'in-event' ? inEventParts(rules, this.#serverName, prev, auth) : {}),
    };
    try {
      return buildEvent(draft, rules, this.#serverName, this.#signingKey);
    } catch (error) {
      if (!(error instanceof BadPduError)) throw error;
      throw error.reason === 'too-large' ? tooLarge(error.message) : badJson(error.message);
    }
  }

  /** Signs an event of ours from another server's template, as to join a room. */
  complete(rules: RoomVersionRules, draft: Omit<EventDraft, 'eventId'>): Event {
    const ownId = rules.eventIds === 'in-event' ? { eventId: newEventId(this.#serverName) } : {};
    return buildEvent({ ...draft, ...ownId }, rules, this.#serverName, this.#signingKey);
  }

  /** The event with our signature beside those it has. */
  countersign(event: Event): Event {
    const signature = this.#signingKey.sign(eventSignedText(event.exactPdu, event.rules));
    const pdu = addSignature(event.exactPdu, this.#serverName, this.#signingKey.keyId, signature);
    return Event.fromJson(event.eventId, canonicalJsonFor(pdu, event.rules), event.rules);
  }
}
