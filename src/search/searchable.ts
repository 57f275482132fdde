import { type JsonObject, readObject, readString } from '../protocol/json/index.ts';
import type { StoredEvent } from '../rooms/index.ts';

/** What can be searched, by the names of the spec. */
export const SEARCH_KEYS = ['content.body', 'content.name', 'content.topic'] as const;
export type SearchKey = (typeof SEARCH_KEYS)[number];

/** Which of an event's type is searched. */
const KEY_OF: ReadonlyMap<string, SearchKey> = new Map([
  ['m.room.message', 'content.body'],
  ['m.room.name', 'content.name'],
  ['m.room.topic', 'content.topic'],
]);

/** The types that change the index. */
export const SEARCHED_TYPES: readonly string[] = [...KEY_OF.keys(), 'm.room.redaction'];

/** A text that an event is found by. */
export interface Searchable {
  readonly key: SearchKey;
  readonly text: string;
}

/** The text of an event, or of it after an edit; undefined where there is nothing to find. */
export function searchableOf(
  { event, redactedBy }: StoredEvent,
  edit: StoredEvent | undefined,
): Searchable | undefined {
  const key = KEY_OF.get(event.type);
  if (key === undefined || redactedBy !== undefined) return undefined;
  const edited = edit === undefined ? undefined : readObject(edit.event.content, 'm.new_content');
  const content = edited ?? event.content;
  const text = readString(content, key.slice('content.'.length));
  if (text === undefined || text === '') return undefined;
  return { key, text: key === 'content.body' ? withoutQuote(event.content, text) : text };
}

/** The id of the event that this one replaces; undefined where it replaces none. Spec: client-server-api/#event-replacements */
export function replacedBy(content: JsonObject): string | undefined {
  const relation = readObject(content, 'm.relates_to');
  return relation !== undefined && readString(relation, 'rel_type') === 'm.replace'
    ? readString(relation, 'event_id')
    : undefined;
}

/** Old clients repeat what they reply to in lines that begin with `>`. Spec: client-server-api/#rich-replies */
function withoutQuote(content: JsonObject, body: string): string {
  const relation = readObject(content, 'm.relates_to');
  if (relation === undefined || readObject(relation, 'm.in_reply_to') === undefined) return body;
  return body.replace(/^(?:> [^\n]*\n)+\n?/, '');
}
