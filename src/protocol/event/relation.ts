import { type EventId, parseEventId } from '../ids/index.ts';
import { readObject, readString } from '../json/index.ts';
import type { Event } from './event.ts';

/** What an event says about another one. Spec: client-server-api/#forming-relationships-between-events */
export interface Relation {
  readonly relatesTo: EventId;
  readonly relType: string;
  /** What an annotation says. */
  readonly key: string | null;
}

/** The relation in an event's content; undefined where there is none, or none that is well-formed. */
export function relationOf({ content }: Pick<Event, 'content'>): Relation | undefined {
  const relation = readObject(content, 'm.relates_to');
  if (relation === undefined) return undefined;
  const relType = readString(relation, 'rel_type');
  const target = readString(relation, 'event_id');
  const relatesTo = target === undefined ? undefined : parseEventId(target);
  if (relType === undefined || relatesTo === undefined) return undefined;
  return { relType, relatesTo, key: readString(relation, 'key') ?? null };
}

/** Whether the event relates to another one by a type; a reply does not. Such events can't be the first of a thread. */
export function hasRelType({ content }: Pick<Event, 'content'>): boolean {
  const relation = readObject(content, 'm.relates_to');
  return relation !== undefined && readString(relation, 'rel_type') !== undefined;
}

/** Whether one event validly replaces another of the same room. Spec: client-server-api/#validity-of-replacement-events */
export function isValidEdit(original: Event, edit: Event): boolean {
  if (original.sender !== edit.sender || original.type !== edit.type) return false;
  if (original.isState || edit.isState || relationOf(original)?.relType === 'm.replace') return false;
  // The new content of an encrypted one is in its ciphertext.
  return edit.type === 'm.room.encrypted' || readObject(edit.content, 'm.new_content') !== undefined;
}
