/** Rooms: the face of the domain. */
export { Rooms } from './rooms.ts';
export type { RoomSnapshot, StateReference, StateView } from './snapshot.ts';
export {
  EventReader,
  eventsStream,
  type Membership,
  type RoomRange,
  roomsMigrations,
  StoredEvent,
  UNREAD,
  type Unread,
} from './store/index.ts';
