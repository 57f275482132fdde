/** Filters: parse them, ask them. */
export {
  acceptsEverything,
  acceptsNothing,
  asksForRelated,
  type EventFilter,
  type Filter,
  type FilterableEvent,
  matchesEvent,
  matchesRoom,
  matchesRoomEvent,
  type RoomEventFilter,
  type RoomFilter,
} from './filter.ts';
export { type BadFilter, filterJson, isBadFilter, parseFilter, parseRoomEventFilter } from './parse.ts';
export { TypePattern } from './type-pattern.ts';
