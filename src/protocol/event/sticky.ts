/** Sticky events: for a while, servers see to it that they reach everybody in the room. MSC4354. */
import { isJsonObject, type JsonValue } from '../json/index.ts';

/** The name in the PDU and in the client's form, while the proposal isn't accepted. */
export const STICKY_KEY = 'msc4354_sticky';

/** No event is sticky for longer, whatever it says. */
export const STICKY_MS_MAX = 60 * 60 * 1000;

/** The `duration_ms` of a PDU's sticky object as it stands there; undefined where it is none, and the event isn't sticky. */
export function stickyDurationOf(sticky: JsonValue | undefined): number | undefined {
  if (!isJsonObject(sticky)) return undefined;
  const { duration_ms: duration } = sticky;
  return typeof duration === 'number' && Number.isSafeInteger(duration) && duration >= 0 ? duration : undefined;
}

/**
 * Until when an event is sticky, in milliseconds since the epoch. It begins when the event was sent, and not after it came:
 * a clock that is ahead can't make it last longer.
 */
export function stickyUntil(durationMs: number, originServerTs: number, receivedTs: number): number {
  return Math.min(originServerTs, receivedTs) + Math.min(durationMs, STICKY_MS_MAX);
}
