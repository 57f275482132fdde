/** Reading rooms: who may see what, and the form in which they get it. For src/rooms/index.ts. */
export { type Standing, standingOf } from './access.ts';
export { historyVisibilityOf, membershipOf } from './history-visibility.ts';
export { type EventFormat, Presenter, type PresentOptions } from './present.ts';
export { makeReading, type Reading, type ReadingDeps } from './reading.ts';
export { RemoteRoomPreviews } from './remote-previews.ts';
export type { RoomPreview, SpaceChild, SpaceRoom } from './room-previews.ts';
export { RoomReads } from './room-reads.ts';
export type { RemotePreviews } from './space-hierarchy.ts';
export { type RoomSummary, Summaries } from './summary.ts';
export type { Viewer } from './viewer.ts';
export { RoomSight } from './visibility.ts';
