/**
 * Events as clients get them.
 * Spec: client-server-api/#room-event-format, client-server-api/#stripped-state
 */
import type { JsonObject } from '../json/index.ts';
import type { Event } from './event.ts';
import { STICKY_KEY } from './sticky.ts';

/**
 * The event's client format as JSON text without `unsigned` and without the closing brace; append `}` or
 * `,"unsigned":{…}}`. A redaction has `redacts` both at its top level and in its content, whatever the room version.
 * Spec: rooms/v11/#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property
 */
export function clientEventPrefix(event: Event): string {
  const { redacts } = event;
  const content = redacts === undefined ? event.contentJson : JSON.stringify({ ...event.exactPdu.content, redacts });
  const id = JSON.stringify(event.eventId);
  const redactsField = redacts === undefined ? '' : `"redacts":${JSON.stringify(redacts)},`;
  const stateKey = event.stateKey === undefined ? '' : `"state_key":${JSON.stringify(event.stateKey)},`;
  const duration = event.stickyDurationMs;
  const sticky = duration === undefined ? '' : `"${STICKY_KEY}":{"duration_ms":${duration}},`;
  return `{"content":${content},"event_id":${id},${sticky}"origin_server_ts":${event.originServerTs},${redactsField}"room_id":${JSON.stringify(event.roomId)},"sender":${JSON.stringify(event.sender)},${stateKey}"type":${JSON.stringify(event.type)}`;
}

/**
 * The stripped form of a state event, for those who aren't in the room.
 * Spec: client-server-api/#stripped-state
 */
export function strippedState(event: Event): JsonObject {
  return { content: event.content, sender: event.sender, state_key: event.stateKey ?? '', type: event.type };
}
