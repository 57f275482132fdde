export { type Consumer, type ConsumerDeps, runConsumer } from './consumer.ts';
export { ConsumerPace } from './consumer-pace.ts';
export { Cursors } from './cursors.ts';
export { Hub, type Listener } from './hub.ts';
export { MemoryStream, Streams, stream } from './streams.ts';
export {
  encodeSyncToken,
  encodeTimelineToken,
  parseSyncToken,
  parseTimelineToken,
  type SyncToken,
} from './sync-token.ts';
export { streamsMigrations } from './tables.ts';
