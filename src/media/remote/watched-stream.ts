import { type Readable, Transform } from 'node:stream';

/** What came from another server was too much, too slow, or broke off. */
export class RemoteFailureError extends Error {
  override readonly name = 'RemoteFailureError';
  readonly isTooLarge: boolean;

  constructor(message: string, options: { readonly isTooLarge?: boolean; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.isTooLarge = options.isTooLarge ?? false;
  }
}

/** In each such time at least so much must come: whoever sends less only keeps us busy. */
const PACE_MS = 15_000;
const PACE_BYTES_MIN = 16 * 1024;

/** The bytes of `source`; fails with `RemoteFailureError` where they are more than `bytesMax`, come too slowly, or `source` fails. */
export function watched(source: Readable, bytesMax: number, paceMs = PACE_MS): Readable {
  let length = 0;
  let lengthBefore = 0;
  const checked = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      if (length > bytesMax) done(new RemoteFailureError('the file is too large', { isTooLarge: true }));
      else done(null, chunk);
    },
  });
  const timer = setInterval(() => {
    // What waits for our own disk is not the other side's fault.
    if (length - lengthBefore < PACE_BYTES_MIN && checked.readableLength === 0) {
      checked.destroy(new RemoteFailureError('the file comes too slowly'));
    }
    lengthBefore = length;
  }, paceMs);
  checked.once('close', () => {
    clearInterval(timer);
    source.destroy();
  });
  source.on('error', (cause: Error) => checked.destroy(new RemoteFailureError(cause.message, { cause })));
  source.once('close', () => {
    if (!source.readableEnded) checked.destroy(new RemoteFailureError('the answer was cut off'));
  });
  return source.pipe(checked);
}
