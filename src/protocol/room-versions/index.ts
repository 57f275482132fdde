/** The room versions we know and what sets them apart. No other part compares a version's name. */
export {
  DEFAULT_ROOM_VERSION,
  IMPLICIT_ROOM_VERSION,
  ROOM_VERSIONS,
  type RoomVersionRules,
  roomVersionRules,
} from './rules.ts';
