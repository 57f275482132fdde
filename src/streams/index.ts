export { Hub, type Listener } from './hub.ts';
export { MemoryStream, Streams, stream } from './streams.ts';
