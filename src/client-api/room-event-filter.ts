import { queryJson } from '../http/schema.ts';
import { isBadFilter, parseRoomEventFilter } from '../protocol/filter/index.ts';

/** The query parameter `filter`: a RoomEventFilter as JSON. */
export function queryRoomEventFilter() {
  return queryJson().transform((json, context) => {
    const filter = parseRoomEventFilter(json);
    if (!isBadFilter(filter)) return filter;
    context.addIssue({ code: 'custom', message: filter.problem, path: [] });
    return undefined;
  });
}
