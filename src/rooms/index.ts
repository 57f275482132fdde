/** Rooms: the face of the domain. */
export type { UnreadRequest, UnreadRoom } from './ephemeral/index.ts';
export type { MembershipNews, StreamNews } from './news.ts';
export type { RoomSight, Viewer } from './read/index.ts';
export type { RoomSummary } from './read/summary.ts';
export { Rooms } from './rooms.ts';
export type { RoomSnapshot, StateReference, StateView } from './snapshot.ts';
export {
  EventReader,
  eventsStream,
  type Membership,
  type RoomMembershipRow,
  type RoomRange,
  roomsMigrations,
  type StateKeyName,
  StoredEvent,
  UNREAD,
  type Unread,
} from './store/index.ts';
export { SyncSource, type SyncSourceDeps } from './sync-source.ts';
